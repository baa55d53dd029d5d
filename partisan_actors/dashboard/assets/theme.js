// The theme, before anything is drawn: light, dark, or as the system has it. Loaded by a plain script tag.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("partisan-theme"); } catch { /* storage may be refused */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
