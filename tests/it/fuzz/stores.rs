//! Records in a journal that were damaged, and the sandbox's mail box.

use super::{Reader, fuzz};
use crate::support::records::{at, holder, new_run};
use octorhai::{
    journal::{self, RunState, Step, StepState},
    sandbox::mailbox::Mailbox,
};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

#[test]
fn damaged_records_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = folder.path().display().to_string();
    let store = journal::open(&address).expect("a store");
    store.claim(&new_run("night"), &holder("a")).expect("claimed");
    let step = |number: u64| Step {
        path: number.to_string(),
        kind: "deploy".into(),
        arguments: json!(["Project A", "1.0.0"]),
        state: StepState::Done,
        intent: json!({"marker": "x"}),
        outcome: json!({"id": "Deployments-1"}).into(),
        began: at(0),
        ended: Some(at(1)),
    };
    store.write("night", &holder("a"), &[step(1), step(2)]).expect("written");
    store.put_down("night", &holder("a"), &RunState::Succeeded { result: json!({"a": 1}) }, at(9)).expect("ended");
    store.swap("cell", 0, &json!({"holder": 1})).expect("swapped");
    drop(store);
    let file = std::fs::read_dir(folder.path())
        .expect("there")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "db" || e == "sqlite"));
    let file = file.expect("the file of the store");
    let raw = rusqlite::Connection::open(&file).expect("opened");
    let columns: Vec<(String, String)> = {
        let mut tables =
            raw.prepare("SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'").expect("asked");
        tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("asked").flatten().collect()
    };
    assert!(columns.len() > 8, "{columns:?}");
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for (table, column) in &columns {
        let text: Result<String, _> = raw.query_row(&format!("SELECT CAST({column} AS TEXT) FROM {table} LIMIT 1"), [], |row| row.get(0));
        seeds.extend(text.ok().map(String::into_bytes));
    }
    drop(raw);
    let whole = std::fs::read(&file).expect("readable");
    let mut next = 0;
    fuzz(Reader {
        name: "record",
        seeds,
        words: &["null", "{}", "[]", "\"state\"", "\"Running\"", "-1", "9999-12-31T23:59:59Z", "\"\""],
        usual: 120,
        read: Box::new(move |input| {
            let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
            let copy = folder.path().join(file.file_name().unwrap_or_default());
            std::fs::write(&copy, &whole).map_err(|e| e.to_string())?;
            let (table, column) = &columns[next % columns.len()];
            next += 1;
            let text = String::from_utf8_lossy(input).into_owned();
            let raw = rusqlite::Connection::open(&copy).map_err(|e| e.to_string())?;
            let _refused = raw.execute(&format!("UPDATE {table} SET {column} = ?1"), [&text]);
            drop(raw);
            if next % 10 == 0 {
                // The file itself.
                let mut bytes = whole.clone();
                let at = next * 997 % bytes.len();
                bytes.splice(at..(at + input.len()).min(bytes.len()), input.iter().copied());
                std::fs::write(&copy, &bytes).map_err(|e| e.to_string())?;
            }
            if let Ok(store) = journal::open(&folder.path().display().to_string()) {
                let _all = (
                    store.runs(false, 100),
                    store.run("night"),
                    store.steps("night"),
                    store.due(at(100)),
                    store.cells(""),
                    store.cell("cell"),
                );
                let _taken =
                    (store.claim(&new_run("night"), &holder("b")), store.beat("night", &holder("a")), store.cancel("night", at(10)));
            }
            Ok(())
        }),
    });
}

#[test]
fn mails_are_read() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mailbox = runtime.block_on(async { Mailbox::start(SocketAddr::from(([127, 0, 0, 1], 0))).expect("it listens") });
    let mail = "EHLO me\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: =?utf-8?B?w7w=?=\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Disposition: attachment; filename=\"x\"\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--b--\r\n.\r\nQUIT\r\n";
    let seeds = vec![mail.as_bytes().to_vec(), b"HELO x\r\nRSET\r\nNOOP\r\nVRFY a\r\nAUTH PLAIN AGEAYg==\r\nQUIT\r\n".to_vec()];
    fuzz(Reader {
        name: "mail",
        seeds,
        words: &[
            "\r\n.\r\n",
            "DATA\r\n",
            "RCPT TO:<",
            "MAIL FROM:<",
            "--b\r\n",
            "Content-Type: text/html\r\n",
            "=?utf-8?Q?=",
            "boundary=",
            "\r\n\r\n",
        ],
        usual: 300,
        read: Box::new(move |input| {
            let _runs = &runtime;
            mailbox.clear();
            let mut stream = TcpStream::connect(mailbox.address()).map_err(|e| e.to_string())?;
            stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(|e| e.to_string())?;
            let _gone = stream.write_all(input).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
            let mut heard = Vec::new();
            let _cut = stream.read_to_end(&mut heard);
            if heard.is_empty() {
                return Err("it does not greet".to_owned());
            }
            for mail in mailbox.mails() {
                let _read = (mail.text(), mail.html(), mail.attachments(), mail.header("Subject"), mail.header("x"));
            }
            // It still greets the next one.
            Ok(())
        }),
    });
}
