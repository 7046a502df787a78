// Sends the same calls with an official client, unchanged but for its address and
// key, and prints what it was told. The calls' order within a client is that of the
// list; each has a message id of its own.
//
//   node deliver.mjs segment|segment-gzip|rudder|rudder-gzip URL WRITE_KEY COUNT
import { gzipSync } from "node:zlib";

const [kind, url, writeKey, count] = process.argv.slice(2);
const at = new Date("2026-10-01T08:00:00.000Z");
const failures = [];

// Every call of the specification, then enough tracks to make several batches. Gives
// a promise that every one was delivered, as the client tells each call's callback.
function send(client) {
  const calls = [];
  const call = (verb, message, name, n = 0) =>
    calls.push(new Promise((done) => client[verb]({ userId: kind, messageId: `${kind}-${name}-${n}`, timestamp: at, ...message }, done)));
  call("identify", { traits: { email: `${kind}@example.com`, household_size: 3 } }, "identify");
  call("track", { event: "Order Completed", properties: { order_id: `${kind}-o1`, total: 12.5, currency: "CNY", products: [{ product_id: "p1", quantity: 1, price: 12.5 }] } }, "order");
  call("page", { name: "退货政策", properties: { path: "/returns", title: "退货政策" } }, "page");
  call("screen", { name: "Cart", properties: { items: 2 } }, "screen");
  call("group", { groupId: "acme", traits: { plan: "team" } }, "group");
  call("alias", { previousId: `${kind}-before` }, "alias");
  for (let n = 0; n < Number(count); n++) {
    call("track", { event: "Product Viewed", properties: { product_id: `p${n}`, name: "扫地机 \u{1F9F9}" }, timestamp: new Date(at.getTime() + n * 1000) }, "view", n);
  }
  return Promise.all(calls);
}

async function segment(options) {
  const { Analytics } = await import("@segment/analytics-node");
  const client = new Analytics({ writeKey, host: url, flushAt: 20, ...options });
  client.on("error", (e) => failures.push(String(e.reason ?? e.code ?? e)));
  const sent = send(client);
  await client.closeAndFlush();
  await sent;
}

async function rudder(gzip) {
  const { default: Analytics } = await import("@rudderstack/rudder-sdk-node");
  const client = new Analytics(writeKey, { dataPlaneUrl: url, flushAt: 20, flushInterval: 200, gzip, logLevel: "error", errorHandler: (e) => failures.push(String(e)) });
  await send(client);
}

switch (kind) {
  case "segment":
    await segment({});
    break;
  case "segment-gzip":
    await segment({
      httpClient: (address, options) => fetch(address, { ...options, body: gzipSync(options.body), headers: { ...options.headers, "Content-Encoding": "gzip" } }),
    });
    break;
  case "rudder":
    await rudder(false);
    break;
  case "rudder-gzip":
    await rudder(true);
    break;
}
console.log(JSON.stringify({ failures }));
process.exit(failures.length > 0 ? 1 : 0);
