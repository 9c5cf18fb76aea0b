import Runtime
import TestSupport
import WebServer

/// A real nginx with two workers in front of two small servers, blue and green.
final class NginxProxy: LoadedProxy {
    let directory = TemporaryDirectory()
    let port = Loopback.freePort()
    let busy = Proxy.Busy()
    private let blue: HTTPServer
    private let green: HTTPServer
    private let process: ChildProcess

    private var configuration: String { directory.file("nginx.conf") }

    init() throws {
        (blue, green) = (try Proxy.server(nil), try Proxy.server(busy))
        directory.write(
            """
            upstream web { server 127.0.0.1:\(blue.port); }
            map $host $tribune_web { default ""; }
            """, to: "upstream.conf")
        let configuration = directory.write(
            """
            worker_processes 2;
            daemon off;
            pid \(directory.file("nginx.pid"));
            error_log \(directory.file("error.log"));
            events { worker_connections 4096; }
            http {
                access_log off;
                keepalive_requests 10000000;
                include \(directory.file("upstream.conf"));
                server {
                    listen 127.0.0.1:\(port);
                    location / { proxy_pass http://web; }
                    location = /tribune { return 200 $tribune_web; }
                }
            }
            """, to: "nginx.conf")
        process = try ChildProcess(["/usr/sbin/nginx", "-c", configuration], output: .file(directory.file("log")))
        let port = port
        guard Loopback.eventually({ Loopback.accepts(port: port) }) else {
            throw BenchmarkFailure("nginx did not come up: \(FileText.read(directory.file("log")) ?? "")")
        }
    }

    deinit {
        process.stop(graceMilliseconds: 200)
        for server in [blue, green] { server.stop() }
    }

    func route(_ service: String) -> String {
        let nginx = "/usr/sbin/nginx, -c, \(configuration)"
        return """
            stable_health: "http://127.0.0.1:\(blue.port)/"
              routes:
              - nginx:
                  file: \(directory.file("upstream.conf"))
                  upstream: \(service)
                  stable: ["127.0.0.1:\(blue.port)"]
                  candidate: ["127.0.0.1:\(green.port)"]
                  test: [\(nginx), -t]
                  reload: [\(nginx), -s, reload]
                  probe: "http://127.0.0.1:\(port)/tribune"
            """
    }
}
