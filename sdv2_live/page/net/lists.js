/** What /page/live tells, by kind. */

/** @typedef {{ file: string, line: number | null, key: string, text: string }} Mistake */

/**
 * @typedef {object} ShowList
 * @property {string} name
 * @property {string} version
 * @property {string} model
 * @property {string} input
 * @property {string} output
 * @property {number} width
 * @property {number} height
 */

/** @typedef {{ number: number, name: string, label: string, picture: string | null, pictured_by: string, mistake: Mistake | null }} PresetItem */
/** @typedef {{ items: PresetItem[], live: string, edited: boolean, writable?: boolean, mistakes?: Mistake[] }} PresetList */

/** @typedef {{ at: number, until: number | null, what: "prompt" | "preset" | "value" | "trigger", name: string, text: string }} TimelineEvent */

/**
 * @typedef {object} TimelineList
 * @property {string} file
 * @property {string[]} files
 * @property {number} seconds
 * @property {boolean} loop
 * @property {{ at: number, name: string }[]} markers
 * @property {TimelineEvent[]} events
 * @property {{ name: string, points: [number, number][] }[]} curves
 * @property {boolean} recording
 * @property {Mistake | null} mistake
 * @property {boolean} [folder]
 * @property {boolean} [unsaved]
 */

/** @typedef {{ name: string, seconds: number, bytes: number, chunks: number, complete?: boolean, video?: boolean }} TakeItem */

/**
 * @typedef {object} TakeList
 * @property {TakeItem[]} items
 * @property {{ name: string, since: number } | null} recording
 * @property {{ name: string, done: number, file: string } | null} rendering
 * @property {string} [problem]
 */

/** @typedef {{ history: { at: number, text: string }[], expansion: boolean, encoding: string[], expanding?: boolean, problem?: string }} PromptList */
/** @typedef {{ at: number, level: "warning" | "error", text: string, remedy: string, count: number, over: boolean }} LogItem */
/** @typedef {{ items: LogItem[] }} LogList */
/** @typedef {{ series: Record<string, number[]> }} HistoryList */

/** @typedef {{ items: { name: string, text: string }[] }} PendingList what waits for the beat, the first first */

/** @typedef {{ moving: string[], verdicts: Record<string, string> }} ModulationList what moves, and slots whose wave is too fast */
/** @typedef {{ source: string, live: boolean, peak_db?: number, low?: number, mid?: number, high?: number, kick?: number }} SoundList */

/**
 * @typedef {object} Lists
 * @property {ShowList} show
 * @property {PresetList} presets
 * @property {TimelineList} timeline
 * @property {TakeList} takes
 * @property {PromptList} prompts
 * @property {LogList} log
 * @property {HistoryList} history
 * @property {PendingList} pending
 * @property {ModulationList} modulation
 * @property {SoundList} sound
 */

export {};
