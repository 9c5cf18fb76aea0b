internal import CRuntime
internal import Glibc

/// A thread of our own for code that blocks. Whoever starts it must `join` it.
///
/// `@unchecked`: `handle` is written before `init` returns and read only by `join`, which its one owner calls once.
public final class WorkerThread: @unchecked Sendable {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private var handle = pthread_t()
    private let isRunning: Bool

    /// Starts `body` on a thread called `name` (at most 15 bytes are shown by the system).
    ///
    /// Where the system has no thread to give, `body` never runs and `didStart` is false.
    public init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setstacksize(&attributes, 2 << 20)
        let code = unsafe pthread_create(&handle, &attributes, WorkerThread.run, start.toOpaque())
        unsafe pthread_attr_destroy(&attributes)
        isRunning = code == 0
        if code != 0 { unsafe start.release() }
    }

    /// Whether the system gave a thread.
    public var didStart: Bool { isRunning }

    /// Waits until the body has returned. To be called once.
    public func join() {
        guard isRunning else { return }
        pthread_join(handle, nil)
    }

    private static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        guard let argument = unsafe argument else { return nil }
        let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        unsafe cruntime_name_thread(start.name)
        start.body()
        return nil
    }
}
