"use strict";
// Sends what a button describes and shows what became of it. Everything shown is set as text, never as markup.
const facts = JSON.parse(document.getElementById("facts").textContent);
const identity = new Set(facts.identity.map((name) => name.toLowerCase()));
document.documentElement.classList.add("js");

function element(tag, text, className) {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  return node;
}

// readable names the people and organizations behind ids, and decodes what is percent-encoded.
function readable(value) {
  if (facts.names[value]) return value.slice(0, 6) + "… (" + facts.names[value] + ")";
  try { return decodeURIComponent(value); } catch { return value; }
}

function change(name, sent, received) {
  const line = element("p", "", "change");
  line.append(element("b", name));
  if (sent !== undefined && sent !== received) line.append("you sent ", element("s", readable(sent)), ", ");
  if (received !== undefined) {
    line.classList.add("verified");
    line.append(sent === undefined ? "" : "the backend got ", element("ins", readable(received)));
  } else {
    line.append("and it was removed");
  }
  return line;
}

// changes lists what was claimed and what arrived instead; then, in a fold, the identity headers that nobody claimed.
function changes(sent, received) {
  const list = document.createDocumentFragment();
  const rest = element("details", "");
  for (const { name, value } of sent) {
    if (identity.has(name.toLowerCase())) list.append(change(name, value, received[name.toLowerCase()]?.[0]));
  }
  const claimed = new Set(sent.map(({ name }) => name.toLowerCase()));
  for (const name of facts.identity) {
    const value = received[name.toLowerCase()]?.[0];
    if (value !== undefined && !claimed.has(name.toLowerCase())) rest.append(change(name, undefined, value));
  }
  if (rest.childElementCount > 0) {
    rest.prepend(element("summary", "The backend also received " + rest.childElementCount + " verified headers"));
    list.append(rest);
  } else {
    list.append(element("p", "The backend received no identity header.", "change"));
  }
  return list;
}

async function attempt(button) {
  const spec = JSON.parse(button.dataset.attempt);
  const result = button.closest("article").querySelector(".result");
  const headers = new Headers({ Accept: "application/json" });
  for (const { name, value } of spec.headers ?? []) headers.set(name, value);
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(spec.path, { headers, credentials: spec.noProof ? "omit" : "same-origin", cache: "no-store", redirect: "manual" });
    const body = await answer.json();
    const reason = answer.headers.get("X-Usher-Reason");
    const verdict = element("p", button.textContent + ": " + answer.status + " " + (answer.ok ? "passed" : reason ?? body.code), "verdict " + (answer.ok ? "good" : "bad"));
    result.replaceChildren(verdict, element("p", answer.ok ? spec.passed : spec.refused));
    if (answer.ok) result.append(changes(spec.headers ?? [], body.headers));
    else result.append(element("p", JSON.stringify(body), "change"));
  } catch (error) {
    result.replaceChildren(element("p", "The demo did not answer (" + error.message + "). Does it still run?", "verdict bad"));
  } finally {
    button.removeAttribute("aria-busy");
  }
}

for (const button of document.querySelectorAll("button[data-attempt]")) {
  button.addEventListener("click", () => attempt(button));
}
