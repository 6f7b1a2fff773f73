/** How a person wants to see things; kept in the browser. */

export type Theme = 'system' | 'light' | 'dark';
export type Zone = 'utc' | 'local';

const THEME_KEY = 'posthorn.theme';
const ZONE_KEY = 'posthorn.zone';

const read = <T extends string>(key: string, allowed: readonly T[], otherwise: T): T => {
  const stored = localStorage.getItem(key);
  return allowed.find((value) => value === stored) ?? otherwise;
};

class Preferences {
  theme = $state<Theme>(read(THEME_KEY, ['system', 'light', 'dark'], 'system'));
  zone = $state<Zone>(read(ZONE_KEY, ['utc', 'local'], 'utc'));
  #systemIsDark = $state(false);
  isDark = $derived(this.theme === 'dark' || (this.theme === 'system' && this.#systemIsDark));

  constructor() {
    const system = matchMedia('(prefers-color-scheme: dark)');
    this.#systemIsDark = system.matches;
    system.addEventListener('change', ({ matches }) => {
      this.#systemIsDark = matches;
    });
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    localStorage.setItem(THEME_KEY, theme);
  }

  setZone(zone: Zone): void {
    this.zone = zone;
    localStorage.setItem(ZONE_KEY, zone);
  }
}

export const preferences = new Preferences();
