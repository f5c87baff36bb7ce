// The published Direct Line client in a page of another site, as far as jsdom is a browser: it asks before it sends, and
// refuses what the server does not allow. Says what it saw as one JSON object.
//
// Arguments: the directory of the packages, and {domain, page, token, webSocket}.

const { createRequire } = require("node:module");
const path = require("node:path");

const load = createRequire(path.join(process.argv[2], "package.json"));
const asked = JSON.parse(process.argv[3]);

const { JSDOM } = load("jsdom");
const page = new JSDOM("<!doctype html>", { url: asked.page });
for (const name of ["window", "XMLHttpRequest", "WebSocket", "FormData", "Blob"]) {
  global[name] = name === "window" ? page.window : page.window[name];
}

const { DirectLine, ConnectionStatus } = load("botframework-directlinejs");

// A client and what it has seen; `until` waits for an activity.
function open(options) {
  const line = new DirectLine({ domain: asked.domain, webSocket: asked.webSocket, pollingInterval: 200, ...options });
  const seen = [];
  const waiting = [];
  line.activity$.subscribe(
    (activity) => {
      seen.push(activity);
      waiting.splice(0).forEach((look) => look());
    },
    (error) => error.message === "conversation ended" || fail("the stream broke", error),
  );
  const until = (fits) =>
    new Promise((resolve) => {
      const look = () => {
        const found = seen.find(fits);
        if (found) resolve(found);
        else waiting.push(look);
      };
      look();
    });
  const post = (activity) =>
    new Promise((resolve, reject) => {
      const from = { id: "somebody-else", name: "Ada" };
      const taken = (id) => (id === "retry" ? reject(new Error("it was not taken")) : resolve(id));
      line.postActivity({ type: "message", from, ...activity }).subscribe(taken, reject);
    });
  return { line, seen, until, post };
}

const first = (observable) => new Promise((resolve, reject) => observable.take(1).subscribe(resolve, reject));

function fail(what, error) {
  console.error(what, error && (error.stack || error.message || error));
  process.exit(1);
}

async function main() {
  const chat = open({ token: asked.token });
  const id = await chat.post({ text: "hello", channelData: { clientActivityID: "a1" } });
  const echo = await chat.until((activity) => activity.id === id);
  const reply = await chat.until((activity) => activity.replyToId === id);

  const refreshed = await first(chat.line.refreshToken());
  chat.line.token = refreshed;
  const again = await chat.post({ text: "again", channelData: { clientActivityID: "a2" } });
  await chat.until((activity) => activity.replyToId === again);
  const repeated = await chat.post({ text: "again", channelData: { clientActivityID: "a2" } });

  const file = { contentType: "text/plain", contentUrl: "data:text/plain;base64,aGVsbG8=", name: "a.txt" };
  const uploaded = await chat.post({ text: "file", attachments: [file] });
  const upload = await chat.until((activity) => activity.id === uploaded);
  await chat.until((activity) => activity.replyToId === uploaded);
  const typing = await chat.post({ type: "typing" });
  const session = await first(chat.line.getSessionId());

  const { conversationId, watermark } = chat.line;
  const status = chat.line.connectionStatus$.getValue();
  chat.line.end();

  const later = open({ token: refreshed, conversationId, watermark });
  const last = await later.post({ text: "last" });
  await later.until((activity) => activity.replyToId === last);
  later.line.end();

  const texts = (seen) => seen.map((activity) => activity.text);
  const online = status === ConnectionStatus.Online;
  const said = { first: texts(chat.seen), later: texts(later.seen) };
  const ids = { id, again, repeated, typing };
  const other = { refreshed: typeof refreshed === "string" && refreshed.split(".").length === 3, watermark, online, session };
  console.log(JSON.stringify({ echo, reply, upload: upload.attachments, said, ids, other }));
  process.exit(0);
}

setTimeout(() => fail("nothing came for a minute"), 60_000);
main().catch((error) => fail("it went wrong", error));
