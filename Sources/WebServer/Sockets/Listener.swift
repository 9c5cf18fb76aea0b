internal import CWebServer
internal import Glibc

/// A socket that accepts connections.
struct Listener: Sendable {
    let descriptor: Int32
    /// The address, for messages.
    let name: String
    /// 0 for a Unix socket.
    let port: Int
    let isUnix: Bool
    /// The file to remove when the server stops; empty if it belongs to another process.
    private let path: String

    init(descriptor: Int32, name: String, port: Int, path: String = "") {
        self.descriptor = descriptor
        self.name = name
        self.port = port
        self.path = path
        var text = [CChar](repeating: 0, count: 128)
        unsafe cweb_socket_path(descriptor, &text, text.count)
        isUnix = text[0] != 0
    }

    /// Opens all of `addresses`, or none.
    static func open(_ addresses: [HTTPListenAddress]) throws(HTTPServerError) -> [Listener] {
        guard !addresses.isEmpty else {
            throw HTTPServerError(code: .badAddress, listenAddress: "", reason: "no address to listen on")
        }
        var listeners: [Listener] = []
        do throws(HTTPServerError) {
            for address in addresses { listeners.append(try open(address)) }
        } catch {
            for listener in listeners { listener.close() }
            throw error
        }
        return listeners
    }

    private static func open(_ address: HTTPListenAddress) throws(HTTPServerError) -> Listener {
        switch address {
        case .tcp(let host, let port):
            let (descriptor, port) = try ListeningSocket.open(address: host, port: port)
            return Listener(descriptor: descriptor, name: address.description, port: port)
        case .unix(let path, let mode):
            let descriptor = unsafe cweb_listen_unix(path, mode)
            guard descriptor >= 0 else { throw ListeningSocket.failure(address.description) }
            return Listener(descriptor: descriptor, name: address.description, port: 0, path: path)
        case .inherited(let descriptor):
            guard cweb_is_listening(descriptor) else {
                throw HTTPServerError(
                    code: .badAddress, listenAddress: address.description, reason: "not a listening stream socket")
            }
            guard cweb_prepare_inherited(descriptor) == 0 else { throw ListeningSocket.failure(address.description) }
            return Listener(
                descriptor: descriptor, name: address.description, port: ListeningSocket.boundPort(of: descriptor))
        }
    }

    func close() {
        Glibc.close(descriptor)
        if !path.isEmpty { unsafe unlink(path) }
    }

    /// The peer of an accepted connection.
    func peer(of descriptor: Int32) -> HTTPPeer {
        var process: Int32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
        if unsafe cweb_peer_credentials(descriptor, &process, &user, &group) {
            return HTTPPeer(
                address: "", credentials: .init(process: process, user: user, group: group), socketPath: path)
        }
        var text = [CChar](repeating: 0, count: 64)
        unsafe cweb_peer_address(descriptor, &text, text.count)
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return HTTPPeer(address: String(decoding: bytes, as: UTF8.self))
    }
}
