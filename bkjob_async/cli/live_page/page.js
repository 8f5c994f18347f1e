"use strict";
(() => {
  const MAX_ROWS = 400, NEW_ROWS = 60, MAX_FAILURES = 5, SILENT_MS = 40000, RETRY_MS = 1000;
  const BAR = 240, LEAST = 3;
  const PHASES = ["FAILED", "ABNORMAL", "UNKNOWN", "STOPPED", "WAITING", "SUCCESS", "IGNORED", "SKIPPED", "STOPPING", "RUNNING", "PENDING"];
  const SIGNS = { PENDING: "·", RUNNING: "▸", WAITING: "?", STOPPING: "↓", SUCCESS: "✓", FAILED: "✗", SKIPPED: "»", IGNORED: "≈", STOPPED: "■", ABNORMAL: "!", UNKNOWN: "¿" };
  const NS = "http://www.w3.org/2000/svg";
  const at = (id) => document.getElementById(id);
  const rows = new Map(), items = new Map();
  let head = {}, failures = [], isOver = false, eventId = "", newsAt = 0, heardAt = 0, state = "waiting", problem = "";
  let isPlanned = false, isSorted = true, order = [], filter = "", failedOnly = false;

  // Texts ------------------------------------------------------------------------------------------------------------

  // toLocaleString loads the rules of all languages first, which takes longer than the first frame.
  const number = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
  const counted = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;
  function clock(seconds) {
    const s = Math.max(0, Math.floor(seconds)), two = (n) => String(n).padStart(2, "0");
    if (s >= 86400) return `${Math.floor(s / 86400)} d ${two(Math.floor(s / 3600) % 24)} h`;
    if (s >= 3600) return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
    return `${Math.floor(s / 60)}:${two(s % 60)}`;
  }
  const serverNow = () => (head.now || 0) + (performance.now() - newsAt) / 1000;

  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  // Rows -------------------------------------------------------------------------------------------------------------

  // Every phase with a host is seen, however few they are; what is too wide then is taken from the widest.
  function shares(counts) {
    const total = counts.reduce((sum, n) => sum + n, 0);
    const widths = counts.map((n) => n ? Math.max(LEAST, n / total * BAR) : 0);
    const excess = widths.reduce((sum, w) => sum + w, 0) - BAR;
    if (excess > 0) widths[widths.indexOf(Math.max(...widths))] -= excess;
    return widths;
  }
  function draw(bar, row) {
    const widths = shares(PHASES.map((phase) => row.hosts[phase] || 0));
    let x = 0;
    widths.forEach((width, n) => {
      let rect = bar.rects[n];
      if (width && !rect) {
        rect = bar.rects[n] = document.createElementNS(NS, "rect");
        rect.setAttribute("class", PHASES[n]);
        rect.setAttribute("height", "100%");
        bar.append(rect);
      }
      if (rect) {
        rect.setAttribute("x", (x / BAR * 100).toFixed(2) + "%");
        rect.setAttribute("width", (width / BAR * 100).toFixed(2) + "%");
      }
      x += width;
    });
    bar.setAttribute("aria-label", PHASES.filter((p) => row.hosts[p]).map((p) => `${row.hosts[p]} ${p.toLowerCase()}`).join(", ") || "no host yet");
  }
  function newItem() {
    const item = element("li"), name = element("div", "name");
    const sign = element("span", "sign"), title = element("b"), step = element("span", "step"), ref = element("span", "ref"), note = element("span", "note");
    name.append(sign, title, " ", step, " ", ref, note);
    const bar = document.createElementNS(NS, "svg");
    bar.rects = [];
    bar.setAttribute("class", "bar");
    bar.setAttribute("role", "img");
    const done = element("span", "n"), failed = element("span", "n failed"), time = element("span", "n"), left = element("span", "n");
    item.append(name, bar, done, failed, time, left);
    item.parts = { sign, title, step, ref, note, bar, done, failed, time, left };
    return item;
  }
  function show(item, row) {
    if (item.shown === row) return;
    item.shown = row;
    const parts = item.parts, total = Object.values(row.hosts).reduce((sum, n) => sum + n, 0);
    setText(parts.sign, SIGNS[row.phase] || "·");
    parts.sign.className = "sign ink-" + (row.failed && !row.over ? "FAILED" : row.phase);
    setText(parts.title, row.title);
    setText(parts.step, row.step);
    setText(parts.ref, row.title === row.ref ? "" : row.ref);
    setText(parts.note, row.note);
    setText(parts.done, total ? `${number(row.done)}/${number(total)}` : "");
    setText(parts.failed, row.failed ? "✗ " + number(row.failed) : "");
    item.className = row.over ? "over" : "";
    draw(parts.bar, row);
  }
  function tick(item, row, now) {
    const since = row.took !== null ? row.took : row.began !== null && !row.over ? now - row.began : null;
    setText(item.parts.time, since === null ? "" : clock(since));
    setText(item.parts.left, row.over || row.ends === null ? "" : "~" + clock(row.ends - now));
  }
  function compare(one, other) {
    for (let n = 0; n < one.order.length; n++) {
      if (one.order[n] !== other.order[n]) return one.order[n] < other.order[n] ? -1 : 1;
    }
    return 0;
  }
  function wanted(row) {
    return (!failedOnly || row.order[0] === 0 || row.failed) && (!filter || row.text.includes(filter));
  }
  function showRows() {
    if (!isSorted) order = [...rows.values()].sort(compare);
    isSorted = true;
    const list = at("rows"), all = order.filter(wanted), some = all.slice(0, MAX_ROWS), now = serverNow();
    const kept = new Set(some.map((row) => row.ref));
    for (const [ref, item] of items) {
      if (!kept.has(ref)) {
        item.remove();
        items.delete(ref);
      }
    }
    let place = list.firstElementChild, room = NEW_ROWS;
    for (const row of some) {
      let item = items.get(row.ref);
      if (!item) {
        // The others come with the next frames: none of them takes long.
        if (!room--) {
          plan();
          break;
        }
        items.set(row.ref, item = newItem());
      }
      show(item, row);
      tick(item, row, now);
      if (item === place) place = place.nextElementSibling;
      else list.insertBefore(item, place);
    }
    const hidden = rows.size - all.length, cut = all.length - some.length;
    setText(at("cut"), [cut ? `${counted(cut, "more row")} below` : "", hidden ? `${counted(hidden, "row")} left out by the filter` : ""].filter(Boolean).join(", "));
  }

  // The rest of the page ---------------------------------------------------------------------------------------------

  function showHead() {
    const hosts = head.hosts || {}, list = at("hosts");
    const failed = ["FAILED", "ABNORMAL", "UNKNOWN", "STOPPED"].reduce((sum, phase) => sum + (hosts[phase] || 0), 0);
    const total = Object.values(hosts).reduce((sum, n) => sum + n, 0);
    const over = `${number(head.over)} of ${counted(head.targets, "target")} over`;
    const verdict = failed ? `✗ ${number(failed)} of ${counted(total, "host")} failed` : head.with_failures ? `✗ ${counted(head.with_failures, "target")} failed` : head.lost ? `¿ ${counted(head.lost, "target")} lost` : head.over === head.targets && head.targets ? "✓ All succeeded" : "▸ None has failed";
    setText(at("verdict"), `${verdict} · ${over}`);
    const title = `${verdict} · ${number(head.over)}/${number(head.targets)}`;
    if (document.title !== title) document.title = title;
    const shown = PHASES.filter((phase) => hosts[phase]);
    while (list.children.length > shown.length) list.lastElementChild.remove();
    shown.forEach((phase, n) => {
      let card = list.children[n];
      if (!card) {
        card = element("li");
        card.append(element("b"), element("span"));
        list.append(card);
      }
      setText(card.firstElementChild, number(hosts[phase]));
      card.lastElementChild.className = "ink-" + phase;
      setText(card.lastElementChild, `${SIGNS[phase]} ${phase.toLowerCase()}`);
    });
    const facts = [
      clock(head.elapsed + (isOver ? 0 : (performance.now() - newsAt) / 1000)),
      head.hosts_per_second >= 0.05 ? `${head.hosts_per_second.toFixed(1)} hosts/s` : "",
      head.ends_in === null || isOver ? "" : `ends in ~${clock(head.ends_in)}`,
      `${head.requests_per_second.toFixed(1)}${head.budget === null ? "" : " of " + number(head.budget)} requests/s`,
      head.oldest_unseen === null ? "" : `oldest unseen ${head.oldest_unseen.toFixed(0)} s`,
      head.limit ? `held up by ${head.limit}` : "",
      head.in_trouble ? `${counted(head.in_trouble, "target")} cannot be read at the moment` : "",
    ];
    setText(at("facts"), facts.filter(Boolean).join(" · "));
    at("outage").hidden = !head.outage;
    setText(at("outage"), head.outage ? "! The platform does not answer: " + head.outage : "");
  }
  function showFailures() {
    at("failures-section").hidden = !failures.length;
    const now = serverNow();
    at("failures").replaceChildren(...failures.slice(0, MAX_FAILURES).map((failure) => {
      const item = element("li");
      item.append(element("span", "host ink-" + failure.phase, `${SIGNS[failure.phase]} ${failure.host}`), element("span", "code", failure.name));
      if (failure.exit_code !== null) item.append(element("span", "", `exit code ${failure.exit_code}`));
      if (failure.tag) item.append(element("span", "", `tag ${failure.tag}`));
      item.append(element("span", "", failure.title), element("span", "age", `${clock(now - failure.at)} ago`));
      return item;
    }));
  }
  function showLink() {
    const age = clock((performance.now() - newsAt) / 1000);
    const texts = { live: "live", waiting: "connecting", over: "the watch has ended", lost: `Connection lost, news is ${age} old${problem ? ` (${problem})` : ""}` };
    const link = at("link");
    link.className = "link " + (state === "over" ? "live" : state);
    setText(link, texts[state]);
  }
  function render() {
    isPlanned = false;
    showHead();
    showFailures();
    showRows();
  }
  function plan() {
    if (!isPlanned) {
      isPlanned = true;
      requestAnimationFrame(render);
    }
  }
  function setState(now, why) {
    state = now;
    problem = why || "";
    showLink();
  }

  // News -------------------------------------------------------------------------------------------------------------

  function apply(message) {
    if (message.full) {
      rows.clear();
      failures = [];
    }
    for (const row of message.rows) {
      row.text = `${row.title} ${row.ref} ${row.step} ${row.note}`.toLowerCase();
      rows.set(row.ref, row);
    }
    for (const ref of message.gone) rows.delete(ref);
    if (message.rows.length || message.gone.length || message.full) isSorted = false;
    if (message.failures) failures = message.failures;
    head = message.head;
    isOver = message.over;
    newsAt = performance.now();
  }
  function take(block) {
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("id: ")) eventId = line.slice(4);
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (!data) return;
    apply(JSON.parse(data));
    setState(isOver ? "over" : "live");
    plan();
  }
  // An EventSource tells neither comments nor status codes: silence and a full server would look alike.
  async function read(abort) {
    const response = await fetch("/events", { headers: eventId ? { "Last-Event-ID": eventId } : {}, signal: abort.signal, cache: "no-store" });
    if (response.status === 401) throw new Error("open the link that the command has printed last");
    if (response.status === 503) throw new Error("as many pages are open as are served");
    if (!response.ok) throw new Error(`status ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      heardAt = performance.now();
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      blocks.forEach(take);
      if (state === "lost") setState("live");
    }
  }
  async function follow() {
    for (;;) {
      const abort = new AbortController();
      heardAt = performance.now();
      const guard = setInterval(() => performance.now() - heardAt > SILENT_MS && abort.abort(), 1000);
      let why = "";
      try {
        await read(abort);
      } catch (error) {
        why = error instanceof TypeError || error.name === "AbortError" ? "" : error.message;
      }
      clearInterval(guard);
      if (!isOver || why) setState(isOver ? "over" : "lost", why);
      await new Promise((resolve) => setTimeout(resolve, isOver ? 5 * RETRY_MS : RETRY_MS));
    }
  }

  at("find").addEventListener("input", (event) => {
    filter = event.target.value.trim().toLowerCase();
    plan();
  });
  at("failed-only").addEventListener("change", (event) => {
    failedOnly = event.target.checked;
    plan();
  });
  setInterval(() => {
    showLink();
    if (!document.hidden && !isOver) plan();
  }, 1000);
  // The page came with the rows that are seen first; its link is spent, and of no use to who loads it again.
  if (location.search) history.replaceState(null, "", "/");
  apply(JSON.parse(at("first").textContent));
  setState(isOver ? "over" : "waiting");
  render();
  follow();
})();
