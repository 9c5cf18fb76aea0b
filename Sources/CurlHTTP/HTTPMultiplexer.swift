internal import CCurl
internal import Runtime
internal import Synchronization

/// Runs many requests at once on one thread of its own. May be shared between threads.
///
/// Connections are kept for later requests to the same host. To be stopped by its owner.
public final class HTTPMultiplexer: Sendable {
    /// Told what came of a request, on the multiplexer's thread: it must not block.
    public typealias Completion = @Sendable (Result<HTTPResponse, HTTPFailure>) -> Void

    private struct Inbox {
        var requests: [(HTTPRequest, Completion)] = []
        var isStopped = false
    }

    private let shared: Shared
    private let thread: WorkerThread

    /// What the owner's threads and the multiplexer's thread both touch.
    ///
    /// `@unchecked`: `multi` never changes, and away from its thread only `curl_multi_wakeup` is called on it, which
    /// libcurl allows from any thread.
    @safe private final class Shared: @unchecked Sendable {
        let multi: UnsafeMutableRawPointer
        let inbox = Mutex(Inbox())

        init(multi: UnsafeMutableRawPointer) {
            unsafe self.multi = unsafe multi
        }

        deinit {
            unsafe curl_multi_cleanup(multi)
        }
    }

    /// Starts the thread. At most `maximumIdleConnections` are kept open between requests.
    public init(name: String = "http", maximumIdleConnections: Int = 4096) throws(HTTPFailure) {
        guard ccurl_global_init() == CURLE_OK, let multi = unsafe curl_multi_init() else {
            throw HTTPFailure(.other, "libcurl cannot be set up")
        }
        let shared = unsafe Shared(multi: multi)
        unsafe ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, maximumIdleConnections)
        unsafe ccurl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        self.shared = shared
        thread = WorkerThread(name) {
            var loop = Loop(shared: shared)
            loop.run()
        }
        guard thread.didStart else { throw HTTPFailure(.other, "no thread for \(name)") }
    }

    /// Starts `request`. `completion` is called exactly once.
    public func send(_ request: HTTPRequest, completion: @escaping Completion) {
        let accepted = shared.inbox.withLock { inbox in
            if inbox.isStopped { return false }
            inbox.requests.append((request, completion))
            return true
        }
        guard accepted else { return completion(.failure(HTTPFailure(.cancelled, "the client is stopped"))) }
        unsafe curl_multi_wakeup(shared.multi)
    }

    /// Ends the running requests with ``HTTPFailure/Code/cancelled`` and waits for the thread. To be called once.
    public func stop() {
        shared.inbox.withLock { $0.isStopped = true }
        unsafe curl_multi_wakeup(shared.multi)
        thread.join()
    }

    /// What only the multiplexer's thread knows.
    private struct Loop {
        let shared: Shared
        var running: [ObjectIdentifier: (transfer: Transfer, completion: Completion)] = [:]
        var idle: [Transfer] = []

        mutating func run() {
            while true {
                let (requests, isStopped) = shared.inbox.withLock { inbox in
                    defer { inbox.requests = [] }
                    return (inbox.requests, inbox.isStopped)
                }
                for (request, completion) in requests { start(request, completion) }
                if isStopped { break }
                var active: Int32 = 0
                unsafe curl_multi_perform(shared.multi, &active)
                finish()
                // Anything that libcurl waits for ends the poll earlier, and so does a wake-up.
                unsafe curl_multi_poll(shared.multi, nil, 0, 60_000, nil)
            }
            for (transfer, completion) in running.values {
                unsafe curl_multi_remove_handle(shared.multi, transfer.handle)
                completion(.failure(HTTPFailure(.cancelled, "the client is stopped")))
            }
        }

        private mutating func start(_ request: HTTPRequest, _ completion: @escaping Completion) {
            guard let transfer = idle.popLast() ?? Transfer() else {
                return completion(.failure(HTTPFailure(.other, "out of memory")))
            }
            do throws(HTTPFailure) {
                try transfer.prepare(request)
            } catch {
                return completion(.failure(error))
            }
            guard unsafe curl_multi_add_handle(shared.multi, transfer.handle) == CURLM_OK else {
                return completion(.failure(HTTPFailure(.other, "libcurl refuses the request")))
            }
            running[ObjectIdentifier(transfer)] = (transfer, completion)
        }

        private mutating func finish() {
            var handle: UnsafeMutableRawPointer?
            var code = CURLE_OK
            while unsafe ccurl_multi_next_done(shared.multi, &handle, &code) {
                guard let finished = unsafe handle, let context = unsafe ccurl_private(finished) else { continue }
                let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
                unsafe curl_multi_remove_handle(shared.multi, finished)
                guard let (_, completion) = running.removeValue(forKey: ObjectIdentifier(transfer)) else { continue }
                let outcome = transfer.outcome(code)
                if idle.count < 64 { idle.append(transfer) }
                completion(outcome)
            }
        }
    }
}
