// Loads the page anew where a file of it did not come: a browser gives up what it is about to ask for when a network of
// the machine changes, as it does when a container starts, and asks for no script again by itself.

{
  const TRIED = "chaser.loaded-anew";
  const MOST = 5;
  const APART = 200;

  addEventListener(
    "error",
    ({ target }) => {
      const isFile = target instanceof HTMLScriptElement || target instanceof HTMLLinkElement;
      if (!isFile || document.documentElement.dataset.begun) return;
      const tried = Number(sessionStorage.getItem(TRIED) ?? 0) + 1;
      if (tried > MOST) {
        document.querySelector("main")?.append("The console could not be loaded. Once the emulator answers, load it anew.");
        return;
      }
      sessionStorage.setItem(TRIED, tried);
      document.documentElement.dataset.begun = "again";
      setTimeout(() => location.reload(), APART * tried);
    },
    true,
  );
}
