import type { PlannedOverride, Shift } from '../api/types';

/** A moment as the field of a date and time shows it: in the browser's zone, without one in the text. */
export function fieldText(moment: string): string {
  const time = new Date(moment);
  const two = (number: number) => String(number).padStart(2, '0');
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date}T${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** What such a field says, as the API reads it. Throws with the words to show. */
export function momentOf(field: string): string {
  const time = new Date(field);
  if (Number.isNaN(time.getTime())) throw new Error('Give a date and a time.');
  return time.toISOString();
}

/** The planned overrides that are not over. */
export function upcoming(overrides: readonly PlannedOverride[], now: number): PlannedOverride[] {
  return overrides.filter((one) => Date.parse(one.until) > now);
}

/** The shifts of the list that a shift can be swapped with: those of other people. */
export function partners(shift: Shift, shifts: readonly Shift[]): Shift[] {
  if (shift.person === null) return [];
  return shifts.filter((one) => one.person !== null && one.person !== shift.person);
}
