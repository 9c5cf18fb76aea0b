internal import Durable

/// Why the journal cannot be used.
public struct JournalError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: Equatable, Sendable {
        /// Another process has it open.
        case locked
        /// The file was damaged. It has been renamed and must be looked at.
        case damaged
        case system
        case tooLong
    }

    /// The kind of error.
    public var code: Code
    /// The file.
    public var path: String
    /// The error text.
    public var message: String
    /// The new name of a damaged file.
    public var aside: String?

    /// The message with its file.
    public var description: String { "\(path): \(message)" }
}

extension JournalError {
    init(_ error: DurableError) {
        let code: Code =
            switch error.code {
            case .locked: .locked
            case .damaged: .damaged
            case .tooLong: .tooLong
            case .system: .system
            }
        self.init(code: code, path: error.path, message: error.reason, aside: error.aside)
    }
}

/// The records of one plan, each with the whole state after a step. Only the last one counts, so a long journal is
/// replaced by the next record.
final class Journal: Sendable {
    /// Payloads of the records found when it was opened, in order.
    let recovered: [[UInt8]]
    /// Bytes of an interrupted record that were cut off when it was opened.
    let truncatedBytes: Int
    private let log: RecordLog
    /// Longer files are replaced.
    private let compactionLength: Int

    /// Opens or creates the journal at `path`; see ``RecordLog``.
    ///
    /// - Parameter device: how bytes are written; tests replace it.
    init(
        path: String, compactionLength: Int = 8 << 20, device: RecordLog.Device = .system
    ) throws(JournalError) {
        self.compactionLength = compactionLength
        do throws(DurableError) {
            log = try RecordLog(path: path, device: device)
        } catch {
            throw JournalError(error)
        }
        recovered = log.recovered.map(\.payload)
        truncatedBytes = log.truncatedBytes
    }

    /// Writes `payload` and returns when it is on disk.
    func append(_ payload: [UInt8]) throws(JournalError) {
        do throws(DurableError) {
            if log.byteCount > compactionLength {
                try log.replaceAll(by: payload)
            } else {
                try log.append(payload)
            }
        } catch {
            throw JournalError(error)
        }
    }

    /// Continues after a failed ``append(_:)`` with a new file that has only `payload`.
    func beginAgain(with payload: [UInt8]) throws(JournalError) {
        do throws(DurableError) {
            try log.beginAgain(with: payload)
        } catch {
            throw JournalError(error)
        }
    }
}
