// What was dropped on a page: files, and those in folders with their paths.

/** All files of a drop as [{path, file}]. To be called while the drop is told of: a browser forgets it afterwards. */
export function filesOfDrop(transfer) {
  const entries = [...transfer.items].filter((one) => one.kind === "file").map((one) => one.webkitGetAsEntry?.());
  if (entries.some((one) => !one)) {
    return Promise.resolve([...transfer.files].map((file) => ({ path: file.name, file })));
  }
  return Promise.all(entries.map((entry) => below(entry, ""))).then((found) => found.flat());
}

async function below(entry, folder) {
  const path = folder + entry.name;
  if (entry.isFile) return [{ path, file: await new Promise((done, failed) => entry.file(done, failed)) }];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A hundred at a time, until there are none.
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const one of some) found.push(...(await below(one, `${path}/`)));
  }
}
