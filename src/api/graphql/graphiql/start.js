/* global GraphiQL, React, ReactDOM */
const KEY = 'posthorn.graphiql.token';
const DEFAULT_QUERY = `# Ctrl+Space completes, Ctrl+Enter runs.
{
  viewer { kind actor application { id name } }
  applications(first: 5) {
    nodes {
      id
      name
      deliveries(first: 5) {
        nodes { id eventType status attemptCount subscription { description } }
      }
    }
  }
}
`;

// Dialogs lock the scrolling of the page by a style element, which the policy would refuse with a complaint. This page never scrolls.
const { head } = document;
const append = head.appendChild.bind(head);
head.appendChild = (node) => (node instanceof HTMLStyleElement ? node : append(node));

const form = document.getElementById('token-form');
const field = document.getElementById('token');
const reason = document.getElementById('token-reason');
const place = document.getElementById('graphiql');
let root;

const askForToken = (why) => {
  sessionStorage.removeItem(KEY);
  root?.unmount();
  root = undefined;
  place.hidden = true;
  reason.textContent = why;
  form.hidden = false;
  field.focus();
};

const fetcher = async (operation) => {
  const answer = await fetch('/graphql', {
    method: 'POST',
    headers: { authorization: `Bearer ${sessionStorage.getItem(KEY)}`, 'content-type': 'application/json' },
    body: JSON.stringify(operation),
  });
  const result = await answer.json();
  // A token that opens nothing is refused before there is a GraphQL answer.
  if (answer.status === 400 || answer.status === 401 || answer.status === 403) askForToken(result.detail ?? '');
  return result;
};

const open = () => {
  form.hidden = true;
  place.hidden = false;
  root = ReactDOM.createRoot(place);
  root.render(React.createElement(GraphiQL, { fetcher, defaultQuery: DEFAULT_QUERY, shouldPersistHeaders: false }));
};

form.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  sessionStorage.setItem(KEY, field.value.trim());
  field.value = '';
  open();
});

if (sessionStorage.getItem(KEY) === null) askForToken('');
else open();
