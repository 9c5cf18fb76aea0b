internal import CRuntime
internal import Glibc

/// A thread for code that blocks. Its owner must `join` it.
///
/// `@unchecked`: `handle` is written before `init` returns and read only by `join`, which its owner calls once.
public final class WorkerThread: @unchecked Sendable {
    /// Why a thread could not be started: the system's limit of threads or memory is reached.
    public struct StartError: Error, Equatable, Sendable, CustomStringConvertible {
        /// The name of the thread.
        public let thread: String
        /// The system's error number.
        public let code: Int32

        /// An error for `thread`.
        public init(thread: String, code: Int32) {
            self.thread = thread
            self.code = code
        }

        /// The thread's name, with the text of the system's error.
        public var description: String { "cannot start thread \"\(thread)\": \(SystemError.text(code))" }
    }

    private final class Start {
        let name: String
        let niceness: Int32
        let body: @Sendable () -> Void

        init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.body = body
        }
    }

    /// The default stack size. Expressions with 1500 levels are evaluated recursively. Unused pages cost no memory.
    public static let defaultStackBytes = 16 << 20

    private var handle = pthread_t()

    /// Starts `body` on a thread named `name` (the system shows at most 15 bytes).
    ///
    /// - Parameter niceness: how much it yields to other threads, 0 to 19.
    public init(
        _ name: String, stackBytes: Int = WorkerThread.defaultStackBytes, niceness: Int32 = 0,
        _ body: @escaping @Sendable () -> Void
    ) throws(StartError) {
        let start = unsafe Unmanaged.passRetained(Start(name: name, niceness: niceness, body: body))
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setstacksize(&attributes, stackBytes)
        let code = unsafe pthread_create(&handle, &attributes, WorkerThread.run, start.toOpaque())
        unsafe pthread_attr_destroy(&attributes)
        guard code == 0 else {
            unsafe start.release()
            throw StartError(thread: name, code: code)
        }
    }

    /// Waits until `body` has returned. Call it once.
    public func join() {
        pthread_join(handle, nil)
    }

    private static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        guard let argument = unsafe argument else { return nil }
        let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        unsafe cruntime_name_thread(start.name)
        if start.niceness > 0 { cruntime_yield_thread(start.niceness) }
        start.body()
        return nil
    }
}
