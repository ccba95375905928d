/** Listeners by topic. */

/**
 * @template Value
 */
export class Topics {
  /** @type {Map<string, Set<(value: Value) => void>>} */
  #listeners = new Map();

  /**
   * Call `listener` at every event of a topic, until the returned function is called.
   *
   * @param {string} topic
   * @param {(value: Value) => void} listener
   * @returns {() => void}
   */
  on(topic, listener) {
    const those = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, those.add(listener));
    return () => those.delete(listener);
  }

  /**
   * @param {string} topic
   * @param {Value} value
   */
  tell(topic, value) {
    for (const listener of [...(this.#listeners.get(topic) ?? [])]) listener(value);
  }
}
