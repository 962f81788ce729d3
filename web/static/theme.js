// Loaded before anything is drawn, so that a chosen colour scheme never flashes in the other one.
(function () {
  try {
    const chosen = localStorage.getItem('tracker.theme');
    if (chosen) document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage is switched off: the system's scheme is shown.
  }
})();
