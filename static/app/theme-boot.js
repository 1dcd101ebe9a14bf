// Runs before the first paint, so that a chosen theme never flashes the other one. Everything else about themes is in
// state/theme.js; this file is a classic script because modules wait for the document.
(() => {
  const theme = localStorage.getItem('irongate.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
