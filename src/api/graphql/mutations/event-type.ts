import { applicationIdOf } from '../../scope.ts';
import { see } from '../context.ts';
import type { CallRest } from '../rest.ts';
import type { Fields } from '../schema.ts';
import { type CommandSeen, command, encoded, ofApplication, present } from './command.ts';

type Named = { readonly applicationId?: string | null | undefined; readonly name: string };
type Confirmed = Named & { readonly force?: boolean | null; readonly expectedRefusals?: number | null };

/** An event type as it is after a command. */
const eventTypeSeen = async ({ applicationId, name }: Named, { moment, context }: CommandSeen) => {
  const owner = applicationIdOf(context.request.principal, applicationId ?? undefined);
  return see(moment, present(await moment.reads.findEventType(owner, name), 'event type', name));
};

const confirmation = ({ applicationId, force, expectedRefusals }: Confirmed) => ({
  application_id: applicationId ?? undefined,
  force: force ?? undefined,
  expected_refusals: expectedRefusals ?? undefined,
});

/** As REST shows a version. */
const schemaOf = ({
  version,
  is_active: isActive,
  schema,
  sha256,
  created_at: createdAt,
}: Readonly<Record<string, unknown>>) => ({ version, isActive, schema, sha256, createdAt });

export const eventTypeSchemaMutations = (rest: CallRest): Fields[string] => ({
  addEventTypeSchema: command(
    rest,
    async (args: Confirmed & { readonly schema: unknown; readonly activate?: boolean | null }, call) => {
      const body = { ...confirmation(args), schema: args.schema, activate: args.activate ?? undefined };
      return schemaOf(await call({ method: 'POST', path: `/event_types/${encoded(args.name)}/schemas`, body }));
    },
  ),
  activateEventTypeSchema: command(rest, async (args: Confirmed & { readonly version: number }, call, seen) => {
    const path = `/event_types/${encoded(args.name)}/schemas/${args.version}/activate`;
    await call({ method: 'POST', path, body: confirmation(args) });
    return eventTypeSeen(args, seen);
  }),
  deactivateEventTypeSchema: command(rest, async (args: Named, call, seen) => {
    const path = `/event_types/${encoded(args.name)}/schemas/deactivate${ofApplication(args.applicationId)}`;
    await call({ method: 'POST', path });
    return eventTypeSeen(args, seen);
  }),
});

export const eventTypeMutations = (rest: CallRest): Fields[string] => ({
  createEventType: command(rest, async ({ applicationId, name }: Named, call, seen) => {
    await call({ method: 'POST', path: '/event_types', body: { application_id: applicationId ?? undefined, name } });
    return eventTypeSeen({ applicationId, name }, seen);
  }),
  deactivateEventType: command(rest, async ({ applicationId, name }: Named, call) => {
    await call({ method: 'DELETE', path: `/event_types/${encoded(name)}${ofApplication(applicationId)}` });
    return { id: name };
  }),
});
