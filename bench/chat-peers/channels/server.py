"""Django Channels with channels_redis, under uvicorn: a room a path, and messages to all in a room.

The pub/sub layer, the faster of the two that channels_redis has. With STORE_URL each message is stored first.
"""

import json
import os
from datetime import datetime, timezone

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="bench",
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

STORE_URL = os.environ.get("STORE_URL")
store = None


async def open_store():
    global store
    from psycopg_pool import AsyncConnectionPool

    pool = AsyncConnectionPool(STORE_URL, min_size=8, max_size=8, open=False, kwargs={"autocommit": True})
    await pool.open(wait=True)
    async with pool.connection() as connection:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS messages (id bigserial PRIMARY KEY, room text NOT NULL, sender text NOT NULL,"
            " cid text NOT NULL, body text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),"
            " UNIQUE (room, sender, cid))"
        )
    store = pool


class Room(AsyncWebsocketConsumer):
    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send(text_data='{"t":"ok"}')

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        sent = json.loads(text_data)
        if STORE_URL:
            async with store.connection() as connection:
                await connection.execute(
                    "INSERT INTO messages (room, sender, cid, body) VALUES (%s, %s, %s, %s)",
                    (self.room, self.channel_name, sent["cid"], sent["body"]),
                )
        text = json.dumps(
            {
                "room": self.room,
                "from": self.channel_name,
                "cid": sent["cid"],
                "ts": datetime.now(timezone.utc).isoformat(),
                "body": sent["body"],
            }
        )
        # Serialized once, not once per member.
        await self.channel_layer.group_send(self.room, {"type": "message", "text": text})

    async def message(self, event):
        await self.send(text_data=event["text"])


async def ready(scope, receive, send):
    """Answers the bench's question whether the server is up."""
    if STORE_URL and store is None:
        await open_store()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


application = ProtocolTypeRouter(
    {"http": ready, "websocket": URLRouter([path("ws/<str:room>/", Room.as_asgi())])}
)
