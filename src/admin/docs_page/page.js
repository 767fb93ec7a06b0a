// A plugin for Swagger UI, between the document (`spec`) and the start of the page.

// Our document names nothing outside itself, so a part of it is resolved by looking it up. Swagger UI's own way reads the
// whole document anew whenever an operation is opened, which takes seconds.
const lookUp = (pointer) =>
  pointer.slice(2).split('/').reduce((node, key) => node?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], spec);

const resolve = (node, within = []) => {
  if (Array.isArray(node)) return node.map((item) => resolve(item, within));
  if (node === null || typeof node !== 'object') return node;
  const { $ref: to, ...beside } = node;
  const own = Object.fromEntries(Object.entries(beside).map(([key, value]) => [key, resolve(value, within)]));
  if (typeof to !== 'string') return '$ref' in node ? { ...own, $ref: resolve(to, within) } : own;
  if (within.includes(to)) return node;
  return { ...resolve(lookUp(to), [...within, to]), ...own, $$ref: to };
};

// Swagger UI's filter knows tags only; ours also knows an operation's id, path and summary.
const found = (tags, phrase) => {
  const words = phrase.toLowerCase().split(/\s+/);
  const fits = (text) => words.every((word) => text.toLowerCase().includes(word));
  const told = (one) => [one.get('path'), one.getIn(['operation', 'operationId']), one.getIn(['operation', 'summary'])].join(' ');
  return tags
    .map((tag, name) => (fits(name) ? tag : tag.update('operations', (all) => all.filter((one) => fits(told(one))))))
    .filter((tag) => tag.get('operations').size > 0);
};

// An operation can fail in many ways: each is one line, its example a click away.
const response = (Original, { React }) =>
  function Response(props) {
    const [open, setOpen] = React.useState(!/^[45]/.test(props.code));
    if (open) return React.createElement(Original, props);
    const example = React.createElement('button', { className: 'example-button', onClick: () => setOpen(true) }, 'Example');
    return React.createElement(
      'tr',
      { className: 'response', 'data-code': props.code },
      React.createElement('td', { className: 'response-col_status' }, props.code),
      React.createElement('td', { className: 'response-col_description', colSpan: 2 }, props.response.get('description'), ' ', example),
    );
  };

// The guide links to operations: they are opened here, where the key is, not in another tab.
const followLinks = ({ layoutActions }) =>
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="#/"]');
    if (!link || link.closest('.opblock, .opblock-tag')) return;
    event.preventDefault();
    layoutActions.updateFilter('');
    layoutActions.parseDeepLinkHash(link.getAttribute('href'));
  });

const ringbook = () => ({
  afterLoad: followLinks,
  fn: {
    resolveSubtree: async (document, path) => ({ spec: resolve(path.reduce((node, key) => node?.[key], document)), errors: [] }),
    opsFilter: found,
  },
  wrapComponents: { response },
  statePlugins: {
    layout: {
      wrapSelectors: {
        // What is found is shown, also where its list is closed.
        isShown: (original, system) => (_, thing, otherwise) => {
          const phrase = system.layoutSelectors.currentFilter();
          return (thing[0] === 'operations-tag' && phrase !== 'true' && phrase?.length > 2) || original(thing, otherwise);
        },
      },
    },
  },
});
