// Shows openapi.yaml. Redoc loads nothing but that; system fonts stand in for those that it would have from elsewhere.

const fonts = { fontFamily: 'system-ui, sans-serif' };
const code = {
  fontFamily: 'ui-monospace, Menlo, Consolas, monospace',
  color: 'inherit',
  backgroundColor: 'rgba(127, 140, 150, 0.15)',
};
const dark = {
  colors: {
    primary: { main: '#67bfd6' },
    text: { primary: '#e4e9ec', secondary: '#9aa7af' },
    border: { dark: '#2d363c', light: '#2d363c' },
    gray: { 50: '#191f23', 100: '#212a2f' },
  },
  sidebar: { backgroundColor: '#191f23', textColor: '#e4e9ec' },
  rightPanel: { backgroundColor: '#0c1013' },
  schema: { nestedBackground: '#191f23', linesColor: '#2d363c', typeNameColor: '#9aa7af', typeTitleColor: '#9aa7af' },
};
const light = { colors: { primary: { main: '#0b6880' } } };

const chosen = matchMedia('(prefers-color-scheme: dark)');
function show() {
  document.body.classList.toggle('dark', chosen.matches);
  const theme = { typography: { ...fonts, headings: fonts, code }, ...(chosen.matches ? dark : light) };
  Redoc.init(
    '/openapi.yaml',
    { theme, disableSearch: true, hideDownloadButton: false, nativeScrollbars: true },
    document.getElementById('reader'),
  );
}
chosen.addEventListener('change', () => location.reload());
show();
