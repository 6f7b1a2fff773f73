/** The same event, sent by program. The token is a placeholder: it belongs in no clipboard. */
export type Sent = {
  readonly origin: string;
  readonly applicationId: string;
  readonly eventType: string;
  readonly payload: string;
  readonly labels: Record<string, string>;
};

const bodyOf = ({ applicationId, eventType, payload, labels }: Sent): string =>
  JSON.stringify({ application_id: applicationId, event_type: eventType, payload, labels }, null, 2);

const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export const toCurl = (sent: Sent): string =>
  `curl -X POST ${sent.origin}/api/v1/event \\
  -H "Authorization: Bearer $POSTHORN_TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d ${shellQuoted(bodyOf(sent))}`;

export const toTypeScript = (sent: Sent): string =>
  `const answer = await fetch('${sent.origin}/api/v1/event', {
  method: 'POST',
  headers: { authorization: \`Bearer \${process.env.POSTHORN_TOKEN}\`, 'content-type': 'application/json' },
  body: JSON.stringify(${bodyOf(sent)}),
});
if (!answer.ok) throw new Error(await answer.text());`;

const python = (text: string): string => JSON.stringify(text);

export const toPython = (sent: Sent): string =>
  `import json, os, urllib.request

request = urllib.request.Request(
    ${python(`${sent.origin}/api/v1/event`)},
    data=json.dumps({
        "application_id": ${python(sent.applicationId)},
        "event_type": ${python(sent.eventType)},
        "payload": ${python(sent.payload)},
        "labels": ${JSON.stringify(sent.labels)},
    }).encode(),
    headers={"Authorization": f"Bearer {os.environ['POSTHORN_TOKEN']}", "Content-Type": "application/json"},
)
print(urllib.request.urlopen(request).read().decode())`;
