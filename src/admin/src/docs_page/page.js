// A plugin for Swagger UI. The page contains this plugin between the OpenAPI document (`spec`) and the code that starts
// Swagger UI.

// The OpenAPI document refers to nothing outside itself, so a look-up in `spec` resolves a `$ref`. Swagger UI's own
// resolver reads the whole document again whenever an operation is opened, which takes seconds.
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

// The search compares text in lower case, without accents, and from the beginning of words; `_` and `-` count as
// spaces. If no operation's name or keywords match, the search also reads the descriptions.
const plain = (text) =>
  ` ${(text ?? '')
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim()}`;

const singular = (word) => (word.length > 4 ? word.replace(/s$/, '') : word);
const has = (text, phrase) => text.includes(phrase) || text.includes(singular(phrase));
const hasAll = (text, words) => words.every((word) => has(text, word));

const keywords = (of) => (of?.['x-keywords'] ?? []).join(', ');
const groups = Object.fromEntries(
  spec.tags.map((tag) => [tag.name, plain([tag.name, tag.description, keywords(tag)].join(', '))]),
);
const operations = Object.fromEntries(
  Object.values(spec.paths)
    .flatMap((item) => Object.values(item))
    .map((operation) => {
      const { operationId, summary, description, tags } = operation;
      const own = plain([operationId, summary, keywords(operation)].join(', '));
      return [operationId, { called: `${own} ,${groups[tags?.[0]] ?? ''}`, described: plain(description) }];
    }),
);

const matching = (phrase) => {
  const words = phrase.trim().split(/\s+/).map(plain).filter((word) => word.trim());
  if (!words.length) return () => true;
  const whole = plain(phrase);
  const ways = [
    ({ called }) => has(called, whole),
    ({ called }) => hasAll(called, words),
    ({ called, described }) => hasAll(`${called} ,${described}`, words),
  ];
  const way = ways.find((fits) => Object.values(operations).some(fits));
  return way ? (one) => way(operations[one.getIn(['operation', 'operationId'])] ?? {}) : () => false;
};

const found = (tags, phrase) => {
  const fits = matching(phrase);
  return tags
    .map((tag) => tag.update('operations', (all) => all.filter(fits)))
    .filter((tag) => tag.get('operations').size > 0);
};

const distance = (one, other) => {
  let row = [...Array(other.length + 1).keys()];
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[other.length];
};

const COMMON = ['price', 'holiday', 'technician', 'urgent', 'undo', 'today'];
const suggestions = (phrase) => {
  const wanted = plain(phrase).trim();
  const known = new Set(Object.values(operations).flatMap(({ called }) => called.split(/[ ,]+/)));
  const near = [...known]
    .filter((word) => word.length > 2)
    .map((word) => [distance(wanted, word), word])
    .filter(([far]) => far <= Math.ceil(wanted.length / 3))
    .sort(([one], [other]) => one - other)
    .map(([, word]) => word);
  return near.length ? near.slice(0, 5) : COMMON;
};

const nothingFound = (Original, { React }) =>
  function Operations(props) {
    const phrase = props.layoutSelectors.currentFilter();
    if (typeof phrase !== 'string' || props.specSelectors.taggedOperations().size > 0) {
      return React.createElement(Original, props);
    }
    const look = (word) => {
      const onClick = () => props.layoutActions.updateFilter(word);
      return React.createElement('li', { key: word }, React.createElement('button', { className: 'example-button', onClick }, word));
    };
    return React.createElement(
      'div',
      { className: 'nothing-found', role: 'status' },
      React.createElement('p', null, `Nothing found for “${phrase}”. Try another word:`),
      React.createElement('ul', null, suggestions(phrase).map(look)),
    );
  };

// Hides the webhooks during a search, because they are not operations that a user can call.
const webhooks = (Original, { React }) =>
  function Webhooks(props) {
    const phrase = props.layoutSelectors.currentFilter();
    return typeof phrase === 'string' && phrase.trim() ? null : React.createElement(Original, props);
  };

// An operation has many error responses. The page shows each error response as one line, and a click on "Example" opens
// the response.
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

// The guide links to operations. A click opens the operation in this tab, because another tab does not have the API
// key.
const followLinks = ({ layoutActions }) =>
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="#/"]');
    if (!link || link.closest('.opblock, .opblock-tag')) return;
    event.preventDefault();
    layoutActions.updateFilter('');
    layoutActions.parseDeepLinkHash(link.getAttribute('href'));
  });

// Shows the schema next to a request body while the user edits the body.
const bodySchema = (Original, { React }) =>
  function RequestBody(props) {
    const { isExecute, requestBody, contentType, specPath, getComponent, getConfigs, specSelectors } = props;
    const media = contentType || requestBody?.get('content')?.keySeq().first();
    const schema = requestBody?.getIn(['content', media, 'schema']);
    const body = React.createElement(Original, props);
    if (!isExecute || !schema?.has('properties')) return body;
    const schemaPath = specPath.push('content', media, 'schema');
    const model = { schema, specPath: schemaPath, getComponent, getConfigs, specSelectors, expandDepth: 1, includeWriteOnly: true };
    return React.createElement(
      'div',
      { className: 'body-and-schema' },
      React.createElement('div', null, body),
      React.createElement(
        'div',
        { className: 'body-schema', role: 'region', 'aria-label': 'Schema of the body' },
        React.createElement('h5', null, 'Permitted content'),
        React.createElement(getComponent('ModelWrapper'), model),
      ),
    );
  };

// Shows the curl command with a placeholder for the API key, because people copy the command into chats.
const hideKey = (Original, { React }) =>
  function Curl(props) {
    const hidden = (headers) => headers?.map((value, name) => (/^authorization$/i.test(name) ? 'Bearer YOUR_KEY' : value));
    return React.createElement(Original, { ...props, request: props.request.update('headers', hidden) });
  };

// Keeps the API key in the tab's session storage. After a reload the user need not enter the key again. Another tab or
// a later browser session does not have the key.
const KEPT = 'ringbook-authorized';
const keepKey = (_, { authSelectors }) => () => {
  const authorized = authSelectors.authorized().toJS();
  if (Object.keys(authorized).length) sessionStorage.setItem(KEPT, JSON.stringify(authorized));
  else sessionStorage.removeItem(KEPT);
};
const restoreKey = ({ authActions }) => {
  try {
    const authorized = JSON.parse(sessionStorage.getItem(KEPT));
    if (authorized) authActions.restoreAuthorization({ authorized });
  } catch {
    sessionStorage.removeItem(KEPT);
  }
};

const ringbook = () => ({
  afterLoad: (system) => {
    followLinks(system);
    restoreKey(system);
  },
  fn: {
    resolveSubtree: async (document, path) => ({ spec: resolve(path.reduce((node, key) => node?.[key], document)), errors: [] }),
    opsFilter: found,
  },
  wrapComponents: { curl: hideKey, operations: nothingFound, RequestBody: bodySchema, Webhooks: webhooks, response },
  statePlugins: {
    auth: { wrapActions: { persistAuthorizationIfNeeded: keepKey } },
    layout: {
      wrapSelectors: {
        // Shows search results even if their list is collapsed.
        isShown: (original, system) => (_, thing, otherwise) => {
          const phrase = system.layoutSelectors.currentFilter();
          return (thing[0] === 'operations-tag' && phrase !== 'true' && phrase?.length > 1) || original(thing, otherwise);
        },
      },
    },
  },
});
