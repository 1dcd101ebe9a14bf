// Socket.IO with its Redis adapter: rooms, and messages to all in a room. With STORE_URL it first stores each message.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import pg from "pg";
import { createClient } from "redis";
import { Server } from "socket.io";

const { PORT, REDIS_URL, STORE_URL } = process.env;

const publisher = createClient({ url: REDIS_URL });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const store = STORE_URL && new pg.Pool({ connectionString: STORE_URL, max: 8 });
if (store) {
  await store.query(
    `CREATE TABLE messages (id bigserial PRIMARY KEY, room text NOT NULL, sender text NOT NULL, cid text NOT NULL,
     body text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), UNIQUE (room, sender, cid))`,
  );
}

const server = createServer((_, response) => response.end("ok"));
const io = new Server(server, {
  adapter: createAdapter(publisher, subscriber),
  transports: ["websocket"],
  perMessageDeflate: false,
});

io.on("connection", (socket) => {
  socket.on("join", (room, done) => {
    socket.join(room);
    done();
  });
  socket.on("send", async ({ room, cid, body }) => {
    if (store) {
      await store.query({
        name: "store",
        text: "INSERT INTO messages (room, sender, cid, body) VALUES ($1, $2, $3, $4)",
        values: [room, socket.id, cid, body],
      });
    }
    io.to(room).emit("msg", { room, from: socket.id, cid, ts: new Date().toISOString(), body });
  });
});

server.listen({ port: Number(PORT), host: "127.0.0.1", backlog: 4096 });
