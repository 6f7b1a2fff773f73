/** Short words on what has just been done; they go by themselves. */
const SHOWN_MS = 6_000;

type Toast = { readonly id: number; readonly text: string };

class Toasts {
  shown = $state.raw<readonly Toast[]>([]);
  #last = 0;

  add(text: string): void {
    this.#last += 1;
    const id = this.#last;
    this.shown = [...this.shown, { id, text }];
    setTimeout(() => this.dismiss(id), SHOWN_MS);
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
export const toast = (text: string): void => toasts.add(text);
