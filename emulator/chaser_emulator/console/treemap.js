// Where rectangles go whose areas say how much each of many things is: a squarified treemap, in parts of a hundred.

/**
 * Places for `items` of {size, …} in a box, largest first: [{item, left, top, width, height}], all in the measure of the
 * box. What is nothing has no place.
 */
export function places(items, { left = 0, top = 0, width, height }) {
  const sized = items.filter((item) => item.size > 0).sort((one, other) => other.size - one.size);
  const whole = sized.reduce((sum, item) => sum + item.size, 0);
  const scale = (width * height) / whole;
  const found = [];
  let free = { left, top, width, height };
  let at = 0;
  while (at < sized.length) {
    const side = Math.min(free.width, free.height);
    let row = [sized[at]];
    while (at + row.length < sized.length) {
      const longer = [...row, sized[at + row.length]];
      if (worst(longer, side, scale) > worst(row, side, scale)) break;
      row = longer;
    }
    free = lay(row, free, scale, found);
    at += row.length;
  }
  return found;
}

/** How far from a square the longest rectangle of a row is. */
function worst(row, side, scale) {
  const areas = row.map((item) => item.size * scale);
  const sum = areas.reduce((one, other) => one + other, 0);
  return Math.max((side * side * areas[0]) / (sum * sum), (sum * sum) / (side * side * areas.at(-1)));
}

/** Put a row along the shorter side of what is free; answers what is free then. */
function lay(row, free, scale, found) {
  const area = row.reduce((sum, item) => sum + item.size, 0) * scale;
  const across = free.width >= free.height;
  const depth = area / (across ? free.height : free.width);
  let along = across ? free.top : free.left;
  for (const item of row) {
    const length = (item.size * scale) / depth;
    found.push(
      across
        ? { item, left: free.left, top: along, width: depth, height: length }
        : { item, left: along, top: free.top, width: length, height: depth },
    );
    along += length;
  }
  return across
    ? { ...free, left: free.left + depth, width: Math.max(0, free.width - depth) }
    : { ...free, top: free.top + depth, height: Math.max(0, free.height - depth) };
}
