internal import Durable
public import MetricModel
public import OnCall
internal import Runtime
internal import TLS

/// Makes and opens signed links, by which a person answers a call without a login. A value.
///
/// A link names the page, the call, the order and the end of its life, and carries an HMAC-SHA256 over them. It is in
/// messages only; who has it is taken for the person who was called.
public struct PageLinks: Sendable {
    /// The orders that links give.
    public enum Verb: String, Sendable, CaseIterable {
        case acknowledge
        case resolve
    }

    /// The content of a link.
    public struct Link: Equatable, Sendable {
        /// The page.
        public var page: String
        /// The call that it was sent with.
        public var call: Int
        /// Whom the call was for: a person, or a receiver.
        public var recipient: String
        /// The order.
        public var verb: Verb
        /// The first moment at which it does not work any more.
        public var expires: Timestamp

        /// Identifies it in the page, where it works once.
        public var id: String { "\(call)/\(verb.rawValue)" }
    }

    /// The content of a button of a chat message, which the service sends back with who pressed it.
    public struct Button: Equatable, Sendable {
        /// The page.
        public var page: String
        /// The order.
        public var verb: ChatAction.Verb
        /// The first moment at which it does not work any more.
        public var expires: Timestamp
    }

    /// Why a link does not work.
    public enum Refusal: Error, Equatable, Sendable {
        /// It was not made with this key, or is malformed.
        case forged
        case expired
    }

    /// Bytes of a key.
    private static let keyByteCount = 32
    private static let tokenLimit = 2000
    private let key: [UInt8]

    /// Links signed with `key`, which has at least 16 bytes.
    init(key: [UInt8]) { self.key = key }

    /// Links signed with the key in the file at `path`. A file that does not exist is made, with a new key.
    ///
    /// - Throws: a sentence for an operator.
    static func load(_ path: String) throws(PageLinksError) -> PageLinks {
        if let text = FileText.read(path) {
            let line = text.split(whereSeparator: \.isWhitespace).first ?? ""
            guard let key = Hexadecimal.bytes(line), key.count >= 16 else {
                throw PageLinksError("\(path): expected a key of at least 32 hexadecimal digits")
            }
            return PageLinks(key: key)
        }
        guard !Paths.exists(path) else { throw PageLinksError("\(path): \(SystemError.current)") }
        let key: [UInt8]
        do throws(TLSError) { key = try SecureRandom.bytes(keyByteCount) } catch {
            throw PageLinksError(error.description)
        }
        do throws(DurableError) { try DurableFile.replace(path, by: Hexadecimal.text(key) + "\n") } catch {
            throw PageLinksError(error.description)
        }
        return PageLinks(key: key)
    }

    /// The text that opens the calendar of `person`, for a path. It works as long as the key stays.
    public func calendarToken(of person: String) -> String { sealed(person, for: "calendar") }

    /// The person whose calendar `token` opens; `nil` for a text that was not made with this key.
    public func person(ofCalendar token: String) -> String? {
        opened(token, for: "calendar")
    }

    /// The text of `button` in messages of `service`.
    public func token(_ button: Button, of service: ChatAction.Service) -> String {
        sealed(
            "\(button.page)\n\(button.verb.rawValue)\n\(button.expires.milliseconds)", for: "chat \(service.rawValue)")
    }

    /// Reads the text of a button that `service` sends.
    public func button(
        _ token: String, of service: ChatAction.Service, at now: Timestamp
    ) throws(Refusal) -> Button {
        guard let text = opened(token, for: "chat \(service.rawValue)") else { throw .forged }
        let fields = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard fields.count == 3, let verb = ChatAction.Verb(rawValue: String(fields[1])), let expires = Int64(fields[2])
        else { throw .forged }
        guard now.milliseconds < expires else { throw .expired }
        return Button(page: String(fields[0]), verb: verb, expires: Timestamp(milliseconds: expires))
    }

    /// `text` with a code over it and its purpose, so that no text can stand for one of another purpose or for a link.
    private func sealed(_ text: String, for purpose: String) -> String {
        let bytes = Array(text.utf8)
        return "\(Base64URL.text(bytes)).\(Base64URL.text(code(bytes, purpose)))"
    }

    /// The text in `token`; `nil` if it was not sealed with this key for this purpose.
    private func opened(_ token: String, for purpose: String) -> String? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard token.utf8.count <= Self.tokenLimit, parts.count == 2, let bytes = Base64URL.bytes(parts[0]),
            let code = Base64URL.bytes(parts[1]), ConstantTime.equal(code, self.code(bytes, purpose))
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func code(_ bytes: [UInt8], _ purpose: String) -> [UInt8] {
        HMACSHA256.code(for: Array("\(purpose)\0".utf8) + bytes, key: key)
    }

    /// The text of `link`, for a path: letters, digits, `-`, `_` and `.`.
    public func token(_ link: Link) -> String {
        let content = [
            link.page, String(link.call), link.verb.rawValue, String(link.expires.milliseconds), link.recipient,
        ].joined(separator: "\n")
        let bytes = Array(content.utf8)
        return "\(Base64URL.text(bytes)).\(Base64URL.text(HMACSHA256.code(for: bytes, key: key)))"
    }

    /// Reads the text of a link.
    public func open(_ token: String, at now: Timestamp) throws(Refusal) -> Link {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard token.utf8.count <= Self.tokenLimit, parts.count == 2, let bytes = Base64URL.bytes(parts[0]),
            let code = Base64URL.bytes(parts[1]),
            ConstantTime.equal(code, HMACSHA256.code(for: bytes, key: key))
        else { throw .forged }
        let fields = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n", maxSplits: 4, omittingEmptySubsequences: false)
        guard fields.count == 5, let call = Int(fields[1]), let verb = Verb(rawValue: String(fields[2])),
            let expires = Int64(fields[3])
        else { throw .forged }
        guard now.milliseconds < expires else { throw .expired }
        return Link(
            page: String(fields[0]), call: call, recipient: String(fields[4]), verb: verb,
            expires: Timestamp(milliseconds: expires))
    }
}

/// Why there are no links: a sentence for an operator.
public struct PageLinksError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The sentence.
    public var description: String

    init(_ description: String) { self.description = description }
}
