internal import CHiredis
internal import Glibc

/// Why a Redis command or connection failed.
public struct RedisError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: Sendable {
        /// There is no connection, it was lost, or there was no reply in time. A new connection is needed.
        case connection
        /// The server rejected the command.
        case command
    }

    /// The kind of failure.
    public var code: Code
    /// The reason. Never contains the command.
    public var message: String

    /// An error of kind `code`.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// The reason.
    public var description: String { "Redis: \(message)" }
}

/// A reply of Redis.
public indirect enum RedisReply: Equatable, Sendable {
    case null
    case integer(Int64)
    case bytes([UInt8])
    /// A status such as `OK`.
    case status(String)
    case array([RedisReply])
    /// The server rejected this command.
    case error(String)

    /// The bytes as UTF-8 text; `nil` for another kind of reply.
    public var text: String? {
        if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }
}

/// One connection to a Redis server. Used by one thread, which it blocks; closed when it is freed.
///
/// Blocks `SIGPIPE` for its thread, because hiredis writes to sockets that the server may have closed.
@safe public final class RedisConnection {
    /// The address of a server.
    public enum Address: Equatable, Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    private let context: UnsafeMutablePointer<redisContext>

    /// Connects. The timeout also applies to every later reply.
    public init(_ address: Address, timeoutMilliseconds: Int = 1000) throws(RedisError) {
        var pipe = sigset_t()
        unsafe sigemptyset(&pipe)
        unsafe sigaddset(&pipe, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &pipe, nil)
        let timeout = timeval(
            tv_sec: timeoutMilliseconds / 1000, tv_usec: (timeoutMilliseconds % 1000) * 1000)
        let made =
            switch address {
            case .tcp(let host, let port): unsafe redisConnectWithTimeout(host, Int32(clamping: port), timeout)
            case .unix(let path): unsafe redisConnectUnixWithTimeout(path, timeout)
            }
        guard let made = unsafe made else { throw RedisError(code: .connection, message: "out of memory") }
        guard unsafe made.pointee.err == 0, unsafe redisSetTimeout(made, timeout) == REDIS_OK else {
            let error = unsafe RedisConnection.error(of: made)
            unsafe redisFree(made)
            throw error
        }
        unsafe context = unsafe made
    }

    deinit {
        unsafe redisFree(context)
    }

    /// Runs one command.
    @discardableResult
    public func command(_ arguments: [String]) throws(RedisError) -> RedisReply {
        let reply = try pipeline([arguments])[0]
        if case .error(let message) = reply { throw RedisError(code: .command, message: message) }
        return reply
    }

    /// Sends all commands, then reads all replies. A rejected command has the reply ``RedisReply/error(_:)``.
    public func pipeline(_ commands: [[String]]) throws(RedisError) -> [RedisReply] {
        for arguments in commands {
            let pointers = unsafe arguments.map { unsafe strdup($0) }
            defer { unsafe pointers.forEach { unsafe free($0) } }
            var constants = unsafe pointers.map { unsafe UnsafePointer($0) }
            let lengths = arguments.map(\.utf8.count)
            guard
                unsafe redisAppendCommandArgv(context, Int32(clamping: arguments.count), &constants, lengths)
                    == REDIS_OK
            else { throw unsafe RedisConnection.error(of: context) }
        }
        var replies: [RedisReply] = []
        for _ in commands {
            var answer: UnsafeMutableRawPointer?
            guard unsafe redisGetReply(context, &answer) == REDIS_OK, let reply = unsafe answer else {
                throw unsafe RedisConnection.error(of: context)
            }
            defer { unsafe freeReplyObject(reply) }
            unsafe replies.append(RedisReply(reply.assumingMemoryBound(to: redisReply.self).pointee))
        }
        return replies
    }

    private static func error(of context: UnsafeMutablePointer<redisContext>) -> RedisError {
        let text = unsafe withUnsafeBytes(of: &context.pointee.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        // After a read timeout, hiredis reports only the text of EAGAIN.
        return RedisError(code: .connection, message: text.isEmpty ? "connection lost" : text)
    }
}

extension RedisReply {
    fileprivate init(_ reply: redisReply) {
        var bytes: [UInt8] { unsafe Array(UnsafeRawBufferPointer(start: reply.str, count: reply.len)) }
        switch unsafe reply.type {
        case REDIS_REPLY_INTEGER: self = unsafe .integer(reply.integer)
        case REDIS_REPLY_STRING: self = .bytes(bytes)
        case REDIS_REPLY_STATUS: self = .status(String(decoding: bytes, as: UTF8.self))
        case REDIS_REPLY_ERROR: self = .error(String(decoding: bytes, as: UTF8.self))
        case REDIS_REPLY_ARRAY:
            let elements = unsafe UnsafeBufferPointer(start: reply.element, count: reply.elements)
            self = unsafe .array(
                elements.map { element in unsafe element.map { unsafe RedisReply($0.pointee) } ?? .null })
        default: self = .null
        }
    }
}
