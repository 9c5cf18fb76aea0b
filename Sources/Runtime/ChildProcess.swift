public import Glibc
internal import Synchronization

/// A child process. Its owner must `stop` it or `wait` for it. May be used from any thread.
public final class ChildProcess: Sendable {
    /// Where a process's standard output and standard error go.
    public enum Output: Sendable {
        case discarded
        /// The parent's.
        case inherited
        /// Appended to a file.
        case file(String)
    }

    /// Why a process did not start.
    public struct StartError: Error, Equatable, Sendable, CustomStringConvertible {
        /// The program.
        public let program: String
        /// The system's error number.
        public let code: Int32

        /// The program with the text of the system's error.
        public var description: String { "cannot start \(program): \(SystemError.text(code))" }
    }

    /// How a process ended.
    public enum Exit: Equatable, Sendable, CustomStringConvertible {
        case code(Int32)
        case signal(Int32)

        /// `exit code 1` or `signal 9`.
        public var description: String {
            switch self {
            case .code(let code): "exit code \(code)"
            case .signal(let number): "signal \(number)"
            }
        }
    }

    /// The process id. Valid until the process was waited for.
    public let processID: pid_t
    private let exit = Mutex<Exit?>(nil)

    /// Starts `arguments[0]`, found on the PATH unless it contains a slash, in its own process group.
    ///
    /// - Parameters:
    ///   - environment: added to the parent's environment.
    ///   - input: a file that becomes standard input; `nil` for none.
    public init(
        _ arguments: [String], environment: [String: String] = [:], input: String? = nil, output: Output = .discarded,
        errors: Output? = nil
    ) throws(StartError) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
        for (descriptor, target) in [(Int32(1), output), (Int32(2), errors ?? output)] {
            switch target {
            case .discarded: unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
            case .inherited: break
            case .file(let path):
                unsafe posix_spawn_file_actions_addopen(
                    &actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
            }
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        unsafe sigemptyset(&defaults)
        for number in [SIGPIPE, SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&defaults, number) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

        var started = pid_t()
        let code = unsafe Self.withCStrings(arguments) { argv in
            unsafe Self.withCStrings(Self.merged(environment)) { envp in
                unsafe posix_spawnp(&started, arguments[0], &actions, &attributes, argv, envp)
            }
        }
        guard code == 0 else { throw StartError(program: arguments[0], code: code) }
        processID = started
    }

    /// How it ended, or `nil` while it runs.
    public func poll() -> Exit? { reap(WNOHANG) }

    /// Waits until it ends.
    public func wait() -> Exit {
        // Waiting under the lock would block `signal`. Polling prevents the id from being reused meanwhile.
        while true {
            if let exit = reap(WNOHANG) { return exit }
            usleep(2000)
        }
    }

    /// Waits at most `milliseconds`. `nil` if the process still runs.
    public func wait(milliseconds: Int64) -> Exit? {
        let deadline = SystemClock.monotonicNanoseconds(in: milliseconds)
        while true {
            if let exit = poll() { return exit }
            if SystemClock.monotonicNanoseconds() >= deadline { return nil }
            usleep(2000)
        }
    }

    /// Sends signal `number`, unless the process has ended.
    public func signal(_ number: Int32) {
        exit.withLock { if $0 == nil { kill(processID, number) } }
    }

    /// Terminates it, and kills it after `graceMilliseconds`.
    @discardableResult
    public func stop(graceMilliseconds: Int64 = 3000) -> Exit {
        signal(SIGTERM)
        if let exit = wait(milliseconds: graceMilliseconds) { return exit }
        signal(SIGKILL)
        return wait()
    }

    private func reap(_ options: Int32) -> Exit? {
        exit.withLock { exit in
            if let exit { return exit }
            var status: Int32 = 0
            let result = unsafe waitpid(processID, &status, options)
            if result == processID {
                let signal = status & 0x7f
                exit = signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
            } else if result < 0 && errno == ECHILD {
                exit = .code(-1)
            }
            return exit
        }
    }

    private static func merged(_ added: [String: String]) -> [String] {
        var result: [String] = []
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let variable = unsafe String(cString: text)
            if added[String(variable.prefix { $0 != "=" })] == nil { result.append(variable) }
            unsafe entry += 1
        }
        return result + added.map { "\($0)=\($1)" }
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers = unsafe strings.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
            // The array holds at least the terminator.
            unsafe body(buffer.baseAddress!)
        }
    }
}

/// Texts of the system's error numbers.
public enum SystemError {
    /// `No such file or directory` for `ENOENT`.
    public static func text(_ code: Int32) -> String {
        unsafe String(cString: strerror(code))
    }

    /// The text for the current `errno`.
    public static var current: String { text(errno) }
}
