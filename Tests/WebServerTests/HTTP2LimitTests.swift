import Glibc
import Runtime
import TLS
import TestSupport
import Testing
import WebServer

/// The limits for clients that speak HTTP/2 and leave their requests unfinished.
@Suite struct HTTP2LimitTests {
    private static let certificates = Certificates()

    /// Frames written by hand, since no client library sends such things.
    private static let client = #"""
        import socket, ssl, struct, sys
        port, authority, mode = int(sys.argv[1]), sys.argv[2], sys.argv[3]
        context = ssl.create_default_context(cafile=authority)
        context.set_alpn_protocols(['h2'])
        link = context.wrap_socket(socket.create_connection(('localhost', port)), server_hostname='localhost')
        link.settimeout(30)

        def frame(kind, flags, stream, payload):
            return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload

        def text(value):
            size, rest = len(value), []
            if size < 127: return bytes([size]) + value
            size -= 127
            while size > 127:
                rest.append(size & 127 | 128)
                size >>= 7
            return bytes([127] + rest + [size]) + value

        def request(method, path): return method + b'\x87\x04' + text(path) + b'\x01' + text(b'localhost')

        def read(count):
            data = b''
            while len(data) < count:
                piece = link.recv(count - len(data))
                if not piece: raise EOFError
                data += piece
            return data

        def until(wanted):
            while True:
                head = read(9)
                payload = read(int.from_bytes(head[:3], 'big'))
                if (head[3], head[4]) == wanted: return

        link.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + frame(4, 0, 0, b''))
        try:
            if mode == 'bodies':
                link.sendall(frame(1, 5, 1, request(b'\x82', b'/stream')) + frame(1, 4, 3, request(b'\x83', b'/up')))
                for _ in range(3): link.sendall(frame(0, 0, 3, b'x' * 16000))
                until((6, 1))
            else:
                # One long field in the table of HPACK, and a byte for each repetition of it.
                repeated = b'\x40' + text(b'a') + text(b'v' * 3900) + b'\xbe' * 14
                for number in range(100):
                    fields = request(b'\x83', b'/up') + (repeated if number == 0 else b'\xbe' * 15)
                    link.sendall(frame(1, 4, 2 * number + 1, fields))
                link.sendall(frame(6, 0, 0, b'12345678'))
                until((6, 1))
                print('read', end='')
        except (EOFError, ConnectionError): print('closed', end='')
        except TimeoutError: print('open', end='')
        """#

    private func server(_ change: (inout HTTPServerConfiguration) -> Void) throws -> HTTPServer {
        var configuration = TLSServerConfiguration(
            certificateChain: Self.certificates.text("server.pem"), privateKey: Self.certificates.text("server.key"))
        configuration.applicationProtocols = ["h2"]
        let context = try TLSServerContext(configuration)
        var settings = HTTPServerConfiguration()
        settings.tls = { context }
        change(&settings)
        let stream = HTTPEventStream()
        return try HTTPServer(settings) { $0.path == "/stream" ? stream.response : .text("ok") }
    }

    private func run(_ server: HTTPServer, _ mode: String) -> String {
        let directory = TemporaryDirectory()
        let script = directory.write(Self.client, to: "client.py")
        return ShellCommand.run("python3 \(script) \(server.port) \(Self.certificates.path("ca.pem")) \(mode) 2>&1")
    }

    @Test func aBodyThatNeverEndsIsNotHiddenByAnEventStream() throws {
        let server = try server { $0.timeouts.bodySeconds = 0 }
        #expect(run(server, "bodies") == "closed")
        #expect(Loopback.eventually { server.statistics.requestBytesInFlight == 0 })
        server.stop()
    }

    @Test func headersOfUnfinishedRequestsHoldABoundedTotal() throws {
        let server = try server { $0.maximumRequestBytesInFlight = 1 << 20 }
        #expect(run(server, "headers") == "read")
        #expect(server.statistics.malformedRequests >= 80, "those beyond a megabyte are refused")
        #expect(Loopback.eventually { server.statistics.requestBytesInFlight == 0 })
        server.stop()
    }
}
