// Asking the hub for a part of a page, and waiting while it doesn't answer.

const PATIENCE = 15000;
const FIRST_PAUSE = 500;
const LAST_PAUSE = 15000;

// The text of a part; throws an error whose `status` is the answer's, 0 without one.
export async function part(address, name) {
  const answer = await fetch(address, {
    headers: { "X-Fragment": name },
    signal: AbortSignal.timeout(PATIENCE),
  }).catch(() => null);
  if (answer?.redirected) throw Object.assign(new Error("elsewhere"), { status: 303 });
  if (!answer?.ok) throw Object.assign(new Error("no answer"), { status: answer?.status ?? 0 });
  return answer.text().catch(() => {
    throw Object.assign(new Error("broken off"), { status: 0 });
  });
}

// Whether asking again may help: no answer, too much at once, or a fault of the hub that passes.
export const mayPass = (status) => status === 0 || status === 429 || status >= 500;

const waiting = new Set();

// Wait before the next try, longer each time; ends at once with `wake`.
export function pause(tries) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      waiting.delete(end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(FIRST_PAUSE * 2 ** tries, LAST_PAUSE) * (0.75 + Math.random() / 2));
    waiting.add(end);
  });
}

// The hub is there again.
export function wake() {
  for (const end of [...waiting]) end();
}
