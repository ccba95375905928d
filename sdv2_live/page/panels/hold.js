/** A button that acts when it is held: by touch, mouse, or with the keyboard's space or Enter. */

const HOLD_MS = 500;

export class Hold {
  #timer = 0;
  /** True after a hold has acted, until the click that ends it. */
  done = false;
  /** True while a press has to be a hold. */
  needed = () => true;

  /**
   * @param {HTMLElement} button
   * @param {() => void} act
   * @param {number} [ms]
   */
  constructor(button, act, ms = HOLD_MS) {
    const begin = () => {
      if (this.#timer || !this.needed()) return;
      this.done = false;
      button.classList.add("holding");
      this.#timer = setTimeout(() => {
        this.done = true;
        end();
        act();
      }, ms);
    };
    const end = () => {
      clearTimeout(this.#timer);
      this.#timer = 0;
      button.classList.remove("holding");
    };
    const pressed = (/** @type {KeyboardEvent} */ event) => (event.key === " " || event.key === "Enter") && this.needed();
    button.addEventListener("pointerdown", (event) => event.button === 0 && begin());
    for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) button.addEventListener(name, end);
    button.addEventListener("keydown", (event) => {
      if (!pressed(event)) return;
      event.preventDefault(); // no click at the release
      if (!event.repeat) begin();
    });
    button.addEventListener("keyup", (event) => (event.key === " " || event.key === "Enter") && end());
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // what a held touch opens
  }
}
