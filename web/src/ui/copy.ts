import { toast } from './toasts.svelte.ts';

/** Puts a text into the clipboard, and says so. */
export const copy = async (text: string, what: string): Promise<void> => {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${what}.`);
  } catch {
    toast(`This browser does not let pages copy ${what}.`);
  }
};
