// Server-sent events from a response. Unlike `EventSource`, `fetch` says why there is no stream, and a new one can go
// on where an old one was.

/** The events of a response as `{ event, data, id }` until it ends, each as soon as it is whole. */
export async function* notices(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    // The server writes data on one line: what has no end of a line is the midst of a large one.
    if (!value.includes('\n')) continue;
    const whole = rest.split('\n\n');
    rest = whole.pop();
    // What bears no name is a comment, which only says that the server is alive.
    yield* whole.map(fields).filter(({ event }) => event);
  }
}

const fields = (text) => Object.fromEntries(text.split('\n').map((line) => line.match(/^(\w*): ?(.*)$/s).slice(1)));
