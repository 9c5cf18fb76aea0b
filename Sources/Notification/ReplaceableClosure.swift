internal import Synchronization

/// A closure that any thread may call and replace.
///
/// Not a `Mutex` of the function type itself: each access through a generic `inout` parameter converts the function to
/// the most general calling convention and back, and stores the result. Every call then leaves two conversions more
/// behind, until a call overflows the stack.
final class ReplaceableClosure<Result: Sendable>: Sendable {
    private struct Body: Sendable {
        var call: @Sendable () -> Result
    }

    private let body: Mutex<Body>

    /// The closure `body` until another one replaces it.
    init(_ body: @escaping @Sendable () -> Result) {
        self.body = Mutex(Body(call: body))
    }

    /// Calls from now on run `body`.
    func replace(by body: @escaping @Sendable () -> Result) {
        self.body.withLock { $0.call = body }
    }

    /// Runs the closure, without holding a lock.
    func callAsFunction() -> Result {
        body.withLock { $0 }.call()
    }
}
