/** What a task of bundled_app.ts sees only by its module's imports. */
export const divisor: number = 2;
