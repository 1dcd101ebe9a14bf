// The chat client of static/app/net against the real service, through roads that break. Run by chat-svc's test
// `the_javascript_client_keeps_its_promises`, which starts two replicas and does what is asked of it by `helper`.
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { WebSocket as NodeWebSocket } from '../../target/tools/frontend/node_modules/ws/wrapper.mjs';

// What a page has, and node not in all versions. Only `ws` says nothing of a failed handshake but `close`, as a page hears it.
globalThis.WebSocket = class extends NodeWebSocket {
  constructor(...parts) {
    super(...parts);
    this.on('error', () => {});
  }
};
globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail }) {
    super(type);
    this.detail = detail;
  }
};

// Lifted out of the application, as its head says it can be; node wants to be told that it is a module.
const place = mkdtempSync(join(tmpdir(), 'irongate-chat-client-'));
process.on('exit', () => rmSync(place, { recursive: true }));
writeFileSync(join(place, 'package.json'), '{"type":"module"}');
for (const file of ['chat.js', 'outgoing.js']) copyFileSync(new URL(`../../static/app/net/${file}`, import.meta.url), join(place, file));
const { ChatClient } = await import(join(place, 'chat.js'));

const REPLICAS = process.env.CHAT_REPLICAS.split(' ');
const PATIENCE_MS = 60_000;

/** Asks the test that runs us. @param {...(string | number)} words */
function helper(...words) {
  const [host, port] = process.env.CHAT_HELPER.split(':');
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect(Number(port), host, () => socket.write(`${words.join(' ')}\n`));
    socket.on('data', (data) => { answer += data; });
    socket.on('end', () => resolve(JSON.parse(answer)));
    socket.on('error', reject);
  });
}

/** Somebody with a token, who can also ask over HTTP. @param {string} name */
async function newcomer(name) {
  const user = await helper('user', name);
  const ask = async (method, path, body) => {
    const response = await fetch(`${REPLICAS[0]}/chat${path}`, {
      method,
      headers: { authorization: `Bearer ${user.token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
  return { ...user, name, ask };
}

/** A room with these people in it, the first its owner. */
async function roomOf(owner, ...others) {
  const { id } = await owner.ask('POST', '/rooms', { kind: 'public', name: `room of ${owner.name}` });
  for (const other of others) await other.ask('PUT', `/rooms/${id}/members/me`);
  return id;
}

/** A way to the replicas that can be cut, or go silent. */
class Road {
  #server = net.createServer((client) => this.#carry(client));
  #pairs = new Set();
  /** Carries nothing, and says nothing of it. */
  silent = false;
  /** Loses what comes back. */
  deaf = false;
  /** Takes nobody. */
  closed = false;
  replica = 0;
  carried = 0;

  static async open() {
    const road = new Road();
    await new Promise((resolve) => { road.#server.listen(0, '127.0.0.1', resolve); });
    return road;
  }

  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}/chat/ws`;
  }

  cut() {
    for (const socket of this.#pairs) socket.destroy();
    this.#pairs.clear();
  }

  end() {
    this.cut();
    this.#server.close();
  }

  #carry(client) {
    if (this.closed) return client.destroy();
    this.carried += 1;
    const server = net.connect(Number(new URL(REPLICAS[this.replica]).port), '127.0.0.1');
    for (const [from, to, back] of [[client, server, false], [server, client, true]]) {
      this.#pairs.add(from);
      from.on('data', (data) => { if (!this.silent && !(back && this.deaf)) to.write(data); });
      from.on('close', () => { to.destroy(); this.#pairs.delete(from); });
      from.on('error', () => {});
    }
  }
}

/** A client with everything that it said, on a road of its own. */
async function clientOf(user, options = {}) {
  const road = await Road.open();
  const client = new ChatClient({ url: road.url, token: async () => user.token, ...options });
  const heard = { event: [], outgoing: [], status: [], reset: [], left: [], signal: [], joined: [] };
  for (const kind of Object.keys(heard)) client.addEventListener(kind, ({ detail }) => heard[kind].push(detail));
  return { client, heard, road };
}

/** @param {string} what @param {() => unknown} holds */
async function eventually(what, holds) {
  const end = Date.now() + PATIENCE_MS;
  while (!await holds()) {
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await pause(10);
  }
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const online = ({ client }) => eventually('a connection', () => client.status.phase === 'online');
const bodies = ({ heard }) => heard.event.filter(({ t }) => t === 'msg').map(({ body }) => body);

/** Runs a story with what it starts, and ends that. @param {string} name @param {(use: (thing: any) => any) => Promise<void>} story */
function tells(name, story) {
  test(name, async () => {
    const used = [];
    try {
      await story(async (started) => {
        const thing = await started;
        used.push(thing);
        return thing;
      });
    } finally {
      for (const { client, road } of used) {
        client.stop();
        road.end();
      }
    }
  });
}

tells('every event comes once and in order, and every message is stored once, however often connections break', async (use) => {
  const users = await Promise.all(['ann', 'bob', 'cid'].map((name) => newcomer(`cut-${name}`)));
  const room = await roomOf(...users);
  const sides = await Promise.all(users.map((user) => use(clientOf(user))));
  let going = true;
  const torment = sides.map(async ({ road }, nth) => {
    for (let round = 0; going; round += 1) {
      await pause(60 + 90 * Math.random());
      road.replica = (nth + round) % 2;
      road.deaf = round % 3 === 0;
      if (road.deaf) await pause(40);
      road.cut();
      road.deaf = false;
    }
  });
  for (const { client } of sides) {
    client.join(room, { after: 0 });
    client.start();
  }

  const sent = [];
  for (let number = 0; number < 25; number += 1) {
    for (const [nth, { client }] of sides.entries()) sent.push(client.send(room, { cid: `${nth}-${number}`, body: `${nth}-${number}` }));
    for (const { client } of sides) client.wake();
    await pause(40);
  }
  const waking = setInterval(() => sides.forEach(({ client }) => client.wake()), 50);
  const acknowledged = await Promise.all(sent);
  going = false;
  await Promise.all(torment);
  clearInterval(waking);
  const last = Math.max(...acknowledged.map(({ seq }) => seq));
  await eventually('all clients to be at the end', () => sides.every(({ client }) => client.position(room) === last));

  for (const { heard } of sides) {
    assert.deepEqual(heard.event.map(({ seq }) => seq), Array.from({ length: last }, (_, index) => index + 1));
    assert.deepEqual(heard.event, sides[0].heard.event);
    assert.deepEqual(heard.reset, []);
    // Each one's messages stand in the order in which they were sent, whatever was asked to wait or sent again.
    for (const nth of [0, 1, 2]) {
      const of = bodies({ heard }).filter((body) => body.startsWith(`${nth}-`));
      assert.deepEqual(of, Array.from({ length: 25 }, (_, number) => `${nth}-${number}`));
    }
  }
  assert.ok(sides.every(({ road }) => road.carried > 5), 'hardly anything was cut');
});

tells('a message shows at once, and once, whatever becomes of it', async (use) => {
  const ann = await newcomer('shown-ann');
  const room = await roomOf(ann);
  const side = await use(clientOf(ann));
  const { client, heard, road } = side;
  client.join(room, { after: 0 });

  const early = client.post(room, { body: 'before there is a connection' });
  assert.deepEqual([early.state, client.outgoing(room)], ['sending', [early]]);
  client.start();
  await eventually('the first', () => bodies(side).length === 1);
  road.deaf = true;
  const lost = client.post(room, { body: 'stored, and the answer is lost' });
  await eventually('it to be stored', async () => (await ann.ask('GET', `/rooms/${room}/messages`)).items.length === 2);
  assert.deepEqual(client.outgoing(room).map(({ cid }) => cid), [lost.cid]);
  road.deaf = false;
  road.cut();
  client.wake();
  await eventually('the second', () => client.outgoing(room).length === 0);

  assert.deepEqual(bodies(side), ['before there is a connection', 'stored, and the answer is lost']);
  assert.deepEqual(heard.outgoing.map(({ cid, state }) => [cid, state]), [
    [early.cid, 'sending'], [early.cid, 'sent'], [lost.cid, 'sending'], [lost.cid, 'sent'],
  ]);
  const messages = heard.event.filter(({ t }) => t === 'msg');
  assert.deepEqual(heard.outgoing.filter(({ state }) => state === 'sent').map(({ seq }) => seq), messages.map(({ seq }) => seq));
});

tells('a refused message says why, and can be sent again or forgotten', async (use) => {
  const [ann, bob] = [await newcomer('mute-ann'), await newcomer('mute-bob')];
  const room = await roomOf(ann, bob);
  const { client, heard } = await use(clientOf(bob));
  client.join(room, { after: 0 });
  client.start();
  await ann.ask('PUT', `/rooms/${room}/mutes/${bob.id}`, { until: '2099-01-01T00:00:00.000Z' });

  const one = client.post(room, { body: 'one' });
  const two = client.post(room, { body: 'two' });
  await eventually('both to be refused', () => client.outgoing(room).every(({ state }) => state === 'failed'));
  assert.deepEqual(client.outgoing(room).map(({ body, code }) => [body, code]), [['one', 'muted'], ['two', 'muted']]);
  assert.match(client.outgoing(room)[0].reason, /\w+ \w+/);
  await assert.rejects(client.edit(room, 999, 'x'), { name: 'ChatError', code: 'muted' });
  await ann.ask('DELETE', `/rooms/${room}/mutes/${bob.id}`);
  client.discard(one.cid);
  client.retry(two.cid);
  await eventually('the other to be sent', () => client.outgoing(room).length === 0);

  assert.deepEqual(bodies({ heard }), ['two']);
});

tells('what a page had not got through is sent by the next page of the same user, and by nobody else', async (use) => {
  const [ann, bob] = [await newcomer('page-ann'), await newcomer('page-bob')];
  const room = await roomOf(ann, bob);
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
  const before = await use(clientOf(ann, { storage }));
  before.client.join(room, { after: 0 });
  before.client.start();
  await online(before);
  before.road.closed = true;
  before.road.cut();
  const { cid } = before.client.post(room, { body: 'typed, and the page was reloaded' });

  const after = await use(clientOf(ann, { storage }));
  after.client.join(room, { after: 0 });
  after.client.start();
  await eventually('the message', () => bodies(after).length === 1);
  assert.deepEqual(after.heard.outgoing.map((told) => [told.cid, told.state]), [[cid, 'sending'], [cid, 'sent']]);
  assert.equal(kept.size, 0);

  kept.set('irongate.outgoing', JSON.stringify({ user: ann.id, messages: [{ ...after.heard.outgoing[0], cid: 'again' }] }));
  const other = await use(clientOf(bob, { storage }));
  other.client.join(room, { after: 0 });
  other.client.start();
  await eventually('the message at the other', () => bodies(other).length === 1);
  assert.deepEqual([other.heard.outgoing, kept.size], [[], 0]);
});

tells('a connection that is dead without a word is given up when somebody looks, and when an answer is due', async (use) => {
  const ann = await newcomer('dead-ann');
  const room = await roomOf(ann);
  const side = await use(clientOf(ann));
  const { client, heard, road } = side;
  client.join(room, { after: 0 });
  client.start();
  await online(side);

  road.silent = true;
  client.wake();
  await eventually('the silence to be noticed', () => client.status.phase !== 'online');
  road.silent = false;
  road.cut();
  await online(side);

  road.silent = true;
  const sent = client.send(room, { cid: 'due', body: 'is anybody there?' });
  await eventually('the silence to be noticed', () => client.status.phase !== 'online');
  road.silent = false;
  road.cut();
  await sent;
  await eventually('the message', () => bodies({ heard }).length === 1);
});

tells('whoever was away too long is told to load the page anew, and hears on from there', async (use) => {
  const [ann, bob] = [await newcomer('long-ann'), await newcomer('long-bob')];
  const room = await roomOf(ann, bob);
  const side = await use(clientOf(bob));
  const { client, heard, road } = side;
  client.join(room, { after: 0 });
  client.start();
  await eventually('the first events', () => client.position(room) === 2);
  road.closed = true;
  road.cut();
  const target = await ann.ask('POST', `/rooms/${room}/messages`, { cid: 'm', body: 'react to this' });
  // More than 500 events, within the pace at which one may write.
  const path = `/rooms/${room}/messages/${target.seq}/reactions/%F0%9F%8C%B1`;
  const more = await Promise.all(Array.from({ length: 15 }, (_, nth) => newcomer(`long-${nth}`)));
  await Promise.all(more.map(async (user) => {
    await user.ask('PUT', `/rooms/${room}/members/me`);
    for (let turn = 0; turn < 17; turn += 1) for (const method of ['PUT', 'DELETE']) await user.ask(method, path);
  }));
  road.closed = false;
  client.wake();
  await eventually('the reset', () => heard.reset.length === 1);
  await ann.ask('POST', `/rooms/${room}/messages`, { cid: 'n', body: 'and on' });
  await eventually('the next message', () => bodies(side).includes('and on'));

  const { last } = heard.reset[0];
  assert.ok(last > 502, `${last}`);
  assert.deepEqual(heard.event.map(({ seq }) => seq), [1, 2, last + 1]);
});

tells('a replica that stops hands its clients over without a gap', async (use) => {
  const [ann, bob] = [await newcomer('move-ann'), await newcomer('move-bob')];
  const room = await roomOf(ann, bob);
  const [staying, moving] = [await use(clientOf(ann)), await use(clientOf(bob))];
  moving.road.replica = 1;
  for (const { client } of [staying, moving]) {
    client.join(room, { after: 0 });
    client.start();
  }
  await Promise.all([online(staying), online(moving)]);

  await helper('stop', 1);
  moving.road.replica = 0;
  const written = [];
  for (let number = 0; number < 8; number += 1) {
    written.push(`${number}`);
    staying.client.post(room, { body: `${number}` });
    await pause(100);
  }
  await eventually('all messages', () => bodies(moving).length === written.length);
  await helper('start', 1);

  assert.deepEqual(bodies(moving), written);
  assert.deepEqual(moving.heard.status.map(({ phase }) => phase), ['connecting', 'online', 'waiting', 'connecting', 'online']);
});

tells('a token that runs out is renewed, here or at the next connection; an ended session is final', async (use) => {
  const ann = await newcomer('token-ann');
  const room = await roomOf(ann);
  const asked = [];
  const { token: short } = await helper('token', ann.id, 'token-ann', 3);
  const tokens = [short, ann.token];
  const side = await use(clientOf(ann, { token: async ({ fresh }) => { asked.push(fresh); return tokens[fresh ? 1 : 0]; } }));
  const { client, heard } = side;
  client.join(room, { after: 0 });
  client.start();
  await online(side);

  // 25 seconds are given for it.
  await eventually('another connection', () => heard.status.length > 3 && client.status.phase === 'online');
  assert.deepEqual(asked, [false, true]);
  client.renew(ann.token);
  await client.send(room, { cid: 'renewed', body: 'still here' });

  await helper('revoke', ann.session);
  await eventually('the end', () => client.status.phase === 'stopped');
  assert.equal(client.status.code, 4403);
});

tells('a read mark that is set without a connection is told with the next, and only the newest', async (use) => {
  const [ann, bob] = [await newcomer('read-ann'), await newcomer('read-bob')];
  const room = await roomOf(ann, bob);
  const [writer, reader] = [await use(clientOf(ann)), await use(clientOf(bob))];
  for (const { client } of [writer, reader]) {
    client.join(room, { after: 0 });
    client.start();
  }
  await Promise.all([online(writer), online(reader)]);
  const seqs = [];
  for (const body of ['1', '2', '3']) seqs.push((await writer.client.send(room, { cid: body, body })).seq);
  await eventually('all to be heard', () => bodies(reader).length === 3);

  reader.road.closed = true;
  reader.road.cut();
  for (const seq of seqs) reader.client.read(room, seq);
  reader.road.closed = false;
  reader.client.wake();

  const marks = () => writer.heard.signal.filter(({ t }) => t === 'read').map(({ user, seq }) => [user, seq]);
  await eventually('the mark', () => marks().length > 0);
  assert.deepEqual(marks(), [[bob.id, seqs[2]]]);
});

tells('whoever is shown the door hears so, and whoever may not come in hears why', async (use) => {
  const [ann, bob] = [await newcomer('door-ann'), await newcomer('door-bob')];
  const room = await roomOf(ann, bob);
  const { id: secret } = await ann.ask('POST', '/rooms', { kind: 'private', name: 'secret' });
  const { client, heard } = await use(clientOf(bob));
  client.join(room, { after: 0 });
  client.join(secret);
  client.start();
  await eventually('the refusal', () => heard.left.length === 1);
  await ann.ask('DELETE', `/rooms/${room}/members/${bob.id}`);
  await eventually('the door', () => heard.left.length === 2);

  assert.deepEqual(heard.left.map(({ room: id, why }) => [id, why]), [[secret, 'no_such_room'], [room, 'kick']]);
  assert.equal(client.position(room), undefined);
});
