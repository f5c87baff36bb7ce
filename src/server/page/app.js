// The chat page: sends messages, shows replies, and draws the run as it happens. Whatever comes from the server is
// inserted as text, never as markup.

const at = (id) => document.getElementById(id);
const [log, quick, turns, status, runState] = ["log", "quick", "turns", "status", "run-state"].map(at);

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined && text !== null) element.textContent = String(text);
  return element;
}

// --- who we are -----------------------------------------------------------------------------------------------

// The conversation's id is what gives the right to read it, so it must not be guessable.
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const memory = {
  read() {
    try { return JSON.parse(localStorage.getItem("greentic-demo")); } catch { return null; }
  },
  write(value) {
    try { localStorage.setItem("greentic-demo", JSON.stringify(value)); } catch { /* private mode: kept in this page only */ }
  },
};

function fresh() {
  return { conversation: randomId(), user: `visitor-${randomId().slice(0, 8)}`, said: [] };
}

let me = memory.read();
if (!me || typeof me.conversation !== "string" || typeof me.user !== "string" || !Array.isArray(me.said)) me = fresh();
memory.write(me);

// --- the chat -------------------------------------------------------------------------------------------------

let lastSeq = 0;
let typing = null;

function toEnd(element) {
  element.scrollTop = element.scrollHeight;
}

function addMessage(kind, text) {
  at("intro")?.remove();
  const message = make("div", `message ${kind}`, text);
  if (typing) log.insertBefore(message, typing); else log.append(message);
  toEnd(log);
  return message;
}

function setTyping(on) {
  if (on && !typing) {
    typing = make("div", "typing");
    typing.setAttribute("aria-label", "the bot is working");
    typing.append(make("i"), make("i"), make("i"));
    log.append(typing);
    toEnd(log);
  } else if (!on && typing) {
    typing.remove();
    typing = null;
  }
}

function offer(actions) {
  quick.replaceChildren();
  actions.slice(0, 9).forEach((action, place) => {
    const title = String(action.title ?? action.value ?? "");
    const button = make("button", null, title);
    button.type = "button";
    const key = make("kbd", null, `Alt ${place + 1}`);
    key.setAttribute("aria-hidden", "true");
    button.append(key);
    button.addEventListener("click", () => {
      const value = action.value ?? title;
      send(typeof value === "string" ? { text: value } : { value }, title);
    });
    quick.append(button);
  });
  toEnd(log);
}

function showActivity(activity, seq) {
  if (seq <= lastSeq && activity.id && seen.has(activity.id)) return;
  if (activity.id) seen.add(activity.id);
  replaySaid(seq);
  lastSeq = Math.max(lastSeq, seq);
  setTyping(false);
  if (typeof activity.text === "string") addMessage("bot", activity.text);
  else if (activity.value !== undefined) addMessage("bot data", JSON.stringify(activity.value, null, 2));
  for (const file of activity.attachments ?? []) addMessage("bot", `📎 ${file.name ?? file.contentType ?? "attachment"}`);
  offer(activity.suggestedActions?.actions ?? []);
}

const seen = new Set();

// What the visitor said before a reload stands in the page's memory, each with the reply that it followed.
let replayed = 0;
function replaySaid(before) {
  while (replayed < me.said.length && me.said[replayed].after < before) addMessage("user", me.said[replayed++].text);
}

async function send(content, shown) {
  quick.replaceChildren();
  replaySaid(Infinity);
  addMessage("user", shown);
  me.said.push({ text: shown, after: lastSeq });
  me.said.splice(0, Math.max(0, me.said.length - 200));
  replayed = me.said.length;
  memory.write(me);
  said.push(shown);
  setTyping(true);
  const id = randomId();
  try {
    const response = await fetch("/webchat/activities", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        type: "message",
        id,
        conversation: { id: me.conversation },
        from: { id: me.user, role: "user" },
        timestamp: new Date().toISOString(),
        locale: navigator.language,
        channelData: { clientActivityID: id },
        ...content,
      }),
    });
    if (response.ok) return;
    const problem = await response.json().catch(() => ({}));
    addMessage("note", `${problem.error?.code ?? response.status}: ${problem.error?.message ?? "not accepted"}`);
  } catch {
    addMessage("note", "The server cannot be reached.");
  }
  setTyping(false);
}

// --- the run --------------------------------------------------------------------------------------------------

// Messages that were sent and whose events have not appeared yet.
const said = [];
const byEvent = new Map();
let steps = 0;

function duration(micros) {
  if (micros < 1000) return `${micros} µs`;
  if (micros < 1e6) return `${(micros / 1000).toFixed(micros < 1e4 ? 2 : 1)} ms`;
  return `${(micros / 1e6).toFixed(2)} s`;
}

function turnOf(event) {
  let turn = byEvent.get(event);
  if (turn) return turn;
  at("legend")?.remove();
  const element = make("section", "turn");
  const head = make("h3");
  head.append(make("span", null, `#${event}`), make("span", "said", said.shift() ?? ""));
  const total = make("span", "total");
  head.append(total);
  const list = make("ol", "steps");
  element.append(head, list);
  turns.append(element);
  turn = { list, total, bars: [] };
  byEvent.set(event, turn);
  if (byEvent.size > 50) {
    byEvent.delete(byEvent.keys().next().value);
    turns.firstElementChild.remove();
  }
  return turn;
}

function addStep(turn, className, name, detail, took) {
  const step = make("li", `step ${className}`);
  const line = make("div", "line");
  line.append(make("span", "name", name));
  if (detail) line.append(make("span", "detail", detail));
  if (took !== undefined) line.append(make("span", "took", took));
  step.append(line);
  turn.list.append(step);
  return step;
}

function addCalls(step, calls) {
  if (!calls.length) return;
  const list = make("ul", "calls");
  for (const call of calls) {
    const item = make("li", call.ok ? "" : "bad");
    const name = String(call.interface).replace(/^.*\//, "").replace(/@.*$/, "");
    const label = make("span", "function", `${name}.${call.function}`);
    label.title = `${call.interface} ${call.function}`;
    item.append(label, make("span", "note", call.note), make("span", "took", duration(call.micros)));
    list.append(item);
  }
  step.append(list);
}

function addNode(turn, trace) {
  const again = trace.attempt > 1 ? ` (attempt ${trace.attempt})` : "";
  const step = addStep(turn, trace.ok ? "" : "bad", trace.node, trace.action + again, duration(trace.micros));
  const bar = make("div", "bar");
  step.append(bar);
  turn.bars.push({ bar, micros: trace.micros });
  const longest = Math.max(1, ...turn.bars.map((entry) => entry.micros));
  for (const entry of turn.bars) entry.bar.style.setProperty("--share", (entry.micros / longest).toFixed(3));
  addCalls(step, trace.host_calls ?? []);
  if (trace.error) step.append(make("div", "why", trace.error));
  steps += 1;
  at("run-count").textContent = String(steps);
}

function setRunState(className, text) {
  runState.className = `run-state ${className}`;
  runState.textContent = text;
}

const draw = {
  started: (turn, trace) => { addStep(turn, "started", "started", `flow ${trace.flow}`); setRunState("", "running"); },
  resumed: (turn, trace) => { addStep(turn, "resumed", "resumed", `at ${trace.node}`); setRunState("", "running"); },
  node: addNode,
  skipped: (turn, trace) => addStep(turn, "checkpoint", "left out", trace.node),
  jumped: (turn, trace) => addStep(turn, "resumed", "jumped", `to ${trace.flow}, ${trace.node}`),
  checkpoint: (turn, trace) => addStep(turn, "checkpoint", "checkpoint", `${trace.steps} steps stored`),
  waiting(turn, trace) {
    addStep(turn, "waiting", "waits", trace.reason ?? `at ${trace.node}`);
    setRunState("waiting", "waits for you");
    setTyping(false);
  },
  finished(turn, trace) {
    addStep(turn, "finished", "finished", `${trace.steps} steps`);
    turn.total.textContent = duration(trace.micros);
    setRunState("", "finished");
    setTyping(false);
  },
  failed(turn, trace) {
    addStep(turn, "failed", "failed", trace.code).append(make("div", "why", trace.message));
    setRunState("failed", "failed");
    setTyping(false);
    addMessage("note", `The run failed: ${trace.code}`);
  },
};

function showTrace(trace) {
  const near = turns.scrollHeight - turns.scrollTop - turns.clientHeight < 80;
  draw[trace.what]?.(turnOf(trace.event), trace);
  if (near) toEnd(turns);
}

// --- connections ----------------------------------------------------------------------------------------------

let streams = [];

function connect() {
  const conversation = encodeURIComponent(me.conversation);
  const replies = new EventSource(`/webchat/conversations/${conversation}/stream`);
  replies.addEventListener("activity", (event) => showActivity(JSON.parse(event.data), Number(event.lastEventId)));
  replies.addEventListener("open", () => { status.className = "status live"; status.textContent = "connected"; });
  replies.addEventListener("error", () => { status.className = "status lost"; status.textContent = "connection lost"; });
  const trace = new EventSource(`/demo/trace?conversation=${conversation}`);
  trace.addEventListener("trace", (event) => showTrace(JSON.parse(event.data)));
  streams = [replies, trace];
}

async function begin() {
  // A server that kept nothing of this conversation cannot go on with it.
  if (me.said.length) {
    const known = await fetch(`/webchat/conversations/${encodeURIComponent(me.conversation)}/activities`)
      .then((response) => response.json()).then((list) => list.activities?.length > 0).catch(() => true);
    if (!known) { me = fresh(); memory.write(me); }
  }
  if (me.said.length) setRunState("", "shown from your next message on");
  else offer([{ title: "Hi", value: "hi" }]);
  connect();
}

// --- controls -------------------------------------------------------------------------------------------------

at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text) return;
  at("text").value = "";
  send({ text }, text);
});

at("restart").addEventListener("click", () => {
  streams.forEach((stream) => stream.close());
  memory.write(fresh());
  location.reload();
});

at("toggle-run").addEventListener("click", (event) => {
  const shown = at("main").classList.toggle("show-run");
  event.currentTarget.setAttribute("aria-expanded", String(shown));
  if (shown) turns.focus(); else at("text").focus();
});

const root = document.documentElement;
try { root.dataset.theme = localStorage.getItem("greentic-theme") ?? ""; } catch { /* the system's choice */ }
at("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("greentic-theme", root.dataset.theme); } catch { /* for this page only */ }
});

document.addEventListener("keydown", (event) => {
  if (event.altKey && /^[1-9]$/.test(event.key)) {
    const button = quick.children[Number(event.key) - 1];
    if (button) { event.preventDefault(); button.click(); }
  }
});

begin();
