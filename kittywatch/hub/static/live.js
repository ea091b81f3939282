// The connection to the hub and its badge: Live, Reconnecting, Stale, Signed out.
// Reconnecting: 0.5 s doubling to 30 s, with jitter. Stale: what is shown may be old, because nothing was heard for a
// while or several tries failed; the board says so instead of looking fine. Signed out: the hub answers, but the login
// has ended, so that no try can help.

const FIRST_DELAY = 500;
const LAST_DELAY = 30000;
const SILENCE = 8000; // the hub speaks at least every 3 s
const TRIES_TILL_STALE = 4;
const LOGIN_ENDED = 1008;

export class Live {
  constructor({ address, onMessage, onState }) {
    this.address = address;
    this.onMessage = onMessage;
    this.onState = onState;
    this.tries = 0;
    this.socket = null;
    this.timer = null;
    window.addEventListener("online", () => this.restart());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.state !== "live") this.restart();
    });
    this.connect();
  }

  setState(state) {
    this.state = state;
    this.onState(state);
  }

  connect() {
    clearTimeout(this.timer);
    const socket = new WebSocket(this.address());
    this.socket = socket;
    this.expect(SILENCE);
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.tries = 0;
      this.expect(SILENCE);
      this.setState("live");
      const message = JSON.parse(data);
      if (message.type !== "ping") this.onMessage(message);
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.socket) return;
      if (code === LOGIN_ENDED) this.end();
      else this.retry();
    };
  }

  expect(within) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.retry(), within);
  }

  retry() {
    this.drop();
    this.tries += 1;
    if (this.state !== "ended") this.setState(this.tries > TRIES_TILL_STALE ? "stale" : "reconnecting");
    const delay = Math.min(FIRST_DELAY * 2 ** (this.tries - 1), LAST_DELAY);
    this.timer = setTimeout(() => this.connect(), delay * (0.75 + Math.random() / 2));
    this.checkLogin(this.tries);
  }

  // A WebSocket that is refused doesn't say why; this does.
  async checkLogin(tries) {
    const answer = await fetch("/session", { signal: AbortSignal.timeout(SILENCE) }).catch(() => null);
    if (answer?.status === 401 && tries === this.tries) this.end();
  }

  // The login has ended: nothing more is tried until somebody comes back to the page, perhaps signed in again.
  end() {
    this.drop();
    this.tries += 1;
    this.setState("ended");
  }

  // Connect anew at once: another filter, or the network is back.
  restart() {
    this.drop();
    this.connect();
  }

  drop() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.close();
  }
}
