import { type Failure, send } from '../graphql/client.svelte.ts';
import { graphql, type ResultOf } from '../graphql/graphql.ts';

const WORKSPACE = graphql(`
  query Workspace {
    viewer { kind actor }
    instance { version }
    applications(first: 100) { nodes { id name organization { id name } } }
  }
`);

type Found = ResultOf<typeof WORKSPACE>;
export type ApplicationChoice = Found['applications']['nodes'][number];

/** What the token opens: who it is and which applications it sees. */
class Workspace {
  viewer = $state.raw<Found['viewer'] | null>(null);
  version = $state('');
  applications = $state.raw<readonly ApplicationChoice[]>([]);
  failure = $state.raw<Failure | null>(null);
  isLoaded = $state(false);

  async load(): Promise<void> {
    try {
      const { viewer, instance, applications } = await send('query', WORKSPACE, {});
      this.viewer = viewer;
      this.version = instance.version;
      this.applications = applications.nodes;
      this.failure = null;
    } catch (error) {
      this.failure = error as Failure;
    }
    this.isLoaded = true;
  }

  clear(): void {
    this.viewer = null;
    this.applications = [];
    this.isLoaded = false;
    this.failure = null;
  }
}

export const workspace = new Workspace();
