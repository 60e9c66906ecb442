// What keeps output of any kind from taking the whole page: the component does all that a program says, however long.

/** Bytes after which the page gets a turn. */
const AT_ONCE = 8 * 1024;

/** Characters that are read out at a stretch; the component itself counts lines, and a line may have no end. */
const HEARD = 8000;

/** Characters, most of them marks, that share one place. */
const MARKS = 64;

/** Lines that it reads out at a stretch. */
const MOST_LINES = 20;

/** Bytes in pieces, between which the page gets a turn. */
export function* pieces(bytes) {
  for (let at = 0; at < bytes.length; at += AT_ONCE) yield bytes.subarray(at, at + AT_ONCE);
}

/** By the letters that end a sequence what the component does as often as the sequence says, and how often is enough. */
const REPEATED = {
  L: ["insertLines", ({ rows }) => rows],
  M: ["deleteLines", ({ rows }) => rows],
  S: ["scrollUp", ({ rows }) => rows],
  T: ["scrollDown", ({ rows }) => rows],
  I: ["cursorForwardTab", ({ cols }) => cols],
  Z: ["cursorBackwardTab", ({ cols }) => cols],
  b: ["repeatPrecedingCharacter", ({ cols }) => cols],
};

/** Let no sequence keep the page busy: what fits on the screen is done, and of a character one line of it. */
export function boundSequences(terminal) {
  for (const [final, [act, mostOf]] of Object.entries(REPEATED)) {
    terminal.parser.registerCsiHandler({ final }, (numbers) => {
      const most = mostOf(terminal);
      if (!(numbers[0] > most)) return false;
      // None of its public ways leads here; its version is pinned.
      return terminal._core._inputHandler[act]({ params: [most], length: 1 });
    });
  }
}

/** Read no more out of one line than of many: where it is too much, the component says so. */
export function boundHearing(terminal) {
  // None of its public ways leads here; its version is pinned.
  const reader = terminal._core._accessibilityManager.value;
  const hear = reader._handleChar.bind(reader);
  const begin = reader._clearLiveRegion.bind(reader);
  let heard = 0;
  reader._handleChar = (sign) => {
    heard += 1;
    // It goes by lines: enough of them, and it says that there is more.
    if (heard === HEARD) for (let lines = 0; lines <= MOST_LINES; lines += 1) hear("\n");
    else if (heard < HEARD) hear(sign);
  };
  reader._clearLiveRegion = () => {
    heard = 0;
    begin();
  };
}

/** Let no character have more marks above it than anybody writes: each one costs as much as all before it. */
export function boundMarks(terminal) {
  // None of its public ways leads here; its version is pinned. All lines are of one class.
  const lines = Object.getPrototypeOf(terminal._core.buffer.lines.get(0));
  if (Object.hasOwn(lines, "unbound")) return;
  lines.unbound = lines.addCodepointToCell;
  lines.addCodepointToCell = function add(at, ...what) {
    if ((this._combined[at]?.length ?? 0) < MARKS) this.unbound(at, ...what);
  };
}
