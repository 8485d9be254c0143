// Brings the screen of a run up to date as its events come. Without it, people reload.
"use strict";

(() => {
  const run = document.getElementById("run");
  if (!run || run.dataset.ended) return;

  const rows = document.getElementById("node-rows");
  const log = document.getElementById("log");
  const SAID = {
    "node.message": (event) => event.message,
    "node.stdout": (event) => event.line,
    "node.stderr": (event) => event.line,
    "node.progress": (event) => [percent(event.fraction), event.message].filter(Boolean).join(" "),
    "agent.action": (event) => event.message ?? event.tool ?? event.action,
    "agent.result": (event) => event.message ?? event.tool,
    "agent.final": (event) => event.message ?? event.output,
  };
  const STATES = {
    "node.started": "running",
    "node.waiting": "waiting",
    "node.retrying": "retrying",
    "node.completed": "completed",
    "node.failed": "failed",
    "node.skipped": "skipped",
  };
  const LINES = 1000;

  function percent(fraction) {
    return typeof fraction === "number" ? `${Math.round(fraction * 100)} %` : "";
  }

  function took(milliseconds) {
    if (typeof milliseconds !== "number") return "";
    return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
  }

  function cell(row, child) {
    const made = document.createElement("td");
    made.append(child);
    row.append(made);
  }

  function code(text) {
    const made = document.createElement("code");
    made.textContent = text;
    return made;
  }

  function badge(state) {
    const made = document.createElement("span");
    made.className = `badge state-${state}`;
    made.textContent = state;
    return made;
  }

  function rowOf(path) {
    for (const row of rows.rows) if (row.dataset.path === path) return row;
    const row = rows.insertRow();
    row.dataset.path = path;
    cell(row, code(path));
    for (let column = 1; column < 5; column += 1) cell(row, "");
    return row;
  }

  function takeNode(event) {
    const state = STATES[event.type];
    if (!state || !event.node) return;
    const [, kind, where, attempts, duration] = rowOf(event.node).cells;
    if (event.kind) kind.textContent = event.kind;
    if (event.attempt) attempts.textContent = event.attempt;
    where.replaceChildren(badge(state));
    if (event.error?.message) where.append(` ${event.error.message}`);
    duration.textContent = took(event.duration_ms);
  }

  function takeWords(event) {
    const words = SAID[event.type]?.(event);
    if (!words) return;
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    const line = document.createElement("p");
    line.className = `from-${event.type.split(".")[1]}`;
    line.append(code(event.node ?? ""), ` ${words}`);
    log.append(line);
    while (log.childElementCount > LINES) log.firstElementChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  // Forms and the result are made on the host: what has changed is taken from the page itself.
  async function refresh(whole) {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (whole) {
      document.getElementById("main").replaceChildren(...page.getElementById("main").childNodes);
      return;
    }
    for (const id of ["state", "locks"]) {
      const there = document.getElementById(id);
      const busy = there.contains(document.activeElement) && id === "locks";
      const news = page.getElementById(id);
      if (!busy && news) there.replaceWith(news);
    }
  }

  const source = new EventSource(
    `/api/v1/runs/${encodeURIComponent(run.dataset.fid)}/events?after=${run.dataset.seq}`,
  );
  const take = (message) => {
    const event = JSON.parse(message.data);
    takeNode(event);
    takeWords(event);
    if (event.type.startsWith("lock.") || event.type === "run.waiting" || event.type === "run.resumed") {
      refresh(false);
    }
  };
  for (const type of run.dataset.types.split(" ")) source.addEventListener(type, take);
  source.addEventListener("eof", () => {
    source.close();
    refresh(true);
  });
})();
