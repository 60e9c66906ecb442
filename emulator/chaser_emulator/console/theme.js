// The colours that somebody has chosen, set before anything is painted: this runs while the page is read, no module does.

{
  const chosen = localStorage.getItem("chaser.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
