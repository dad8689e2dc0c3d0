// People who read and write through the built SDK, for test/chaos: orders come as lines of JSON on standard input, and what they see
// goes as lines of JSON to standard output. It ends when its input does.
//
//   {"do":"listen","id":0,"url","account","password","platform","over":"sse","rooms":[…]}
//     → {"ID":0,"Online":true}, {"ID":0,"Message":{…}}, {"ID":0,"Reset":true}, {"ID":0,"Read":[…]} for what it reloads after that
//   {"do":"leave","id":0}
//   {"do":"send","id":1000,"url","account","password","platform","message":{…}}
//     → {"ID":1000,"Sent":"MsgId"}, or {"ID":1000,"Code":10006,"Error":"…"} where the chat server lost it
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { Client, Code } from "@xuangate/sdk";
import { WebSocket } from "ws";

const tell = (report) => process.stdout.write(`${JSON.stringify(report)}\n`);
const again = () => wait(20 + Math.random() * 300);
const waits = { least: 20, most: 300 };

/** clientOf is a client that signs in by itself, as often as it takes. */
function clientOf({ url, account, password, platform }, signal) {
  const client = new Client({
    url,
    WebSocket,
    timeout: 5000,
    getToken: async () => {
      while (!signal?.aborted) {
        try {
          return (await client.login({ account, password, platform }, { signal })).Token;
        } catch {
          await again();
        }
      }
      return undefined;
    },
  });
  return client;
}

/** persist repeats what fails until it does not, or the reader has left. */
async function persist(signal, act) {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await act();
    } catch {
      await again();
    }
  }
}

async function reload(client, { id, rooms }, signal) {
  for (const room of rooms) {
    for (let end = ""; ; ) {
      const { Msg } = await persist(signal, () =>
        end
          ? client.call("/get_conversation_30msg_before_the_id", { conversation_id: room, msg_id: end }, { signal })
          : client.call("/get_conversation_last_30_msg", { conversation_id: room }, { signal }),
      );
      tell({ ID: id, Read: Msg });
      if (Msg.length < 30) break;
      end = Msg[0].MsgId;
    }
  }
}

async function listen(order, signal) {
  const client = clientOf(order, signal);
  for (let after; !signal.aborted; await again()) {
    const onState = ({ status }) => status === "online" && tell({ ID: order.id, Online: true });
    const events = client.events({ after, transports: [order.over], signal, waits, onState });
    try {
      for await (const event of events) {
        if (event.Event === "message") tell({ ID: order.id, Message: event.Data });
        if (event.Event === "reset") {
          tell({ ID: order.id, Reset: true });
          await reload(client, order, signal);
        }
      }
    } catch {
      // Whoever listens begins again where he was, or is judged by what he misses.
    }
    after = events.position; // not that of the last event: there may have been none yet
  }
}

const writers = new Map();

async function send(order) {
  let client = writers.get(order.url);
  if (!client) writers.set(order.url, (client = clientOf(order)));
  for (;;) {
    try {
      return tell({ ID: order.id, Sent: (await client.sendMsg(order.message)).MsgID });
    } catch (error) {
      if (error.code === Code.Conflict) return tell({ ID: order.id, Code: error.code, Error: error.message });
    }
    await again();
  }
}

const listeners = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  switch (order.do) {
    case "listen":
      listeners.set(order.id, new AbortController());
      void listen(order, listeners.get(order.id).signal);
      break;
    case "leave":
      listeners.get(order.id)?.abort();
      break;
    case "send":
      void send(order);
  }
}
process.exit(0);
