import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;

/** Makes a cluster forget a broker that is down: {@code java UnregisterBroker.java <properties of a client> <id>}. */
final class UnregisterBroker {
    public static void main(String[] arguments) throws Exception {
        Properties client = new Properties();
        try (var file = new java.io.FileReader(arguments[0])) {
            client.load(file);
        }
        try (Admin admin = Admin.create(client)) {
            admin.unregisterBroker(Integer.parseInt(arguments[1])).all().get();
        }
    }
}
