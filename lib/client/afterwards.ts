/**
 * Goes on once a change is made, whether or not the component that asked for it is still there: the change itself often takes its row off the
 * page. A failure is shown by the mutation's own state.
 */
export function afterwards<T>(change: Promise<T>, then: (result: T) => void): void {
  change.then(then, () => {});
}
