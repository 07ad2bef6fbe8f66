use super::*;

fn record(seq_no: u64) -> Record<'static> {
    let id = format!("id-{}", seq_no % 7).as_str().into();
    let change = match seq_no % 5 {
        0 => Change::Deleted,
        1 => Change::Written { routing: Some("r".into()), source: format!("{{\"n\":{seq_no}}}").into() },
        _ => Change::Written {
            routing: None,
            source: format!("{{\"text\":\"{}\"}}", "x".repeat(usize::try_from(seq_no % 50).unwrap())).into(),
        },
    };
    Record { seq_no, version: seq_no + 1, id, change }
}

fn records(seq_nos: std::ops::Range<u64>) -> Vec<Record<'static>> {
    seq_nos.map(record).collect()
}

fn reopen(folder: &Path) -> Result<(Translog, Vec<Record<'static>>)> {
    let mut found = Vec::new();
    let log = Translog::open(folder, |record| {
        found.push(record);
        Ok(())
    })?;
    Ok((log, found))
}

fn last_file(folder: &Path) -> PathBuf {
    let files = recovery::generations(folder).unwrap();
    files.into_iter().map(|(_, path)| path).rfind(|path| path.metadata().unwrap().len() > 24).unwrap()
}

/// A log of ten synced records and ten that are not.
fn half_synced() -> (tempfile::TempDir, PathBuf, u64) {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = reopen(folder.path()).unwrap();
    let (_, position) = log.append(&records(0..10)).unwrap();
    log.sync(position).unwrap();
    let synced = log.log().end;
    for seq_no in 10..20 {
        log.append(&[record(seq_no)]).unwrap();
    }
    drop(log);
    let file = last_file(folder.path());
    (folder, file, synced)
}

#[test]
fn what_was_appended_comes_back_over_generations() {
    let folder = tempfile::tempdir().unwrap();
    let (log, found) = reopen(folder.path()).unwrap();
    assert!(found.is_empty());
    let (places, position) = log.append(&records(0..20)).unwrap();
    log.sync(position).unwrap();
    log.roll().unwrap();
    log.append(&records(20..30)).unwrap();
    for (place, seq_no) in places.into_iter().zip(0..) {
        assert_eq!(log.read(place).unwrap(), Some(record(seq_no)));
    }
    let mut later = Vec::new();
    log.replay_after(Some(14), |record| {
        later.push(record);
        Ok(())
    })
    .unwrap();
    assert_eq!(later, records(15..30));
    drop(log);
    let (log, found) = reopen(folder.path()).unwrap();
    assert_eq!(found, records(0..30));
    assert_eq!(log.stats().num_records, 30);
}

#[test]
fn trimming_drops_the_generations_that_a_commit_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = reopen(folder.path()).unwrap();
    let (places, _) = log.append(&records(0..10)).unwrap();
    log.roll().unwrap();
    log.roll().unwrap();
    log.append(&records(10..20)).unwrap();
    log.trim(8).unwrap();
    assert_eq!(log.stats().num_records, 20);
    log.trim(9).unwrap();
    assert_eq!(log.read(places[3]).unwrap(), None);
    assert_eq!(log.stats().num_records, 10);
    drop(log);
    assert_eq!(reopen(folder.path()).unwrap().1, records(10..20));
}

#[test]
fn a_torn_tail_is_cut_wherever_it_is_torn() {
    let (_folder, file, synced) = half_synced();
    let whole = fs_err::read(&file).unwrap();
    for end in (usize::try_from(synced).unwrap()..whole.len()).step_by(13) {
        for zeros in [0, 40] {
            let torn = tempfile::tempdir().unwrap();
            fs_err::copy(file.parent().unwrap().join("checkpoint"), torn.path().join("checkpoint")).unwrap();
            let mut bytes = whole[..end].to_vec();
            bytes.resize(end + zeros, 0);
            fs_err::write(torn.path().join(file.file_name().unwrap()), bytes).unwrap();
            let (log, found) = reopen(torn.path()).unwrap();
            assert!(found.len() >= 10 && found == records(0..found.len() as u64), "cut at {end}");
            log.append(&[record(99)]).unwrap();
            drop(log);
            assert_eq!(reopen(torn.path()).unwrap().1.len(), found.len() + 1);
        }
    }
}

#[test]
fn damage_to_what_was_acknowledged_is_reported_with_its_place() {
    let (folder, file, synced) = half_synced();
    let whole = fs_err::read(&file).unwrap();
    for place in 0..usize::try_from(synced).unwrap() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        fs_err::write(&file, &bytes).unwrap();
        let error = reopen(folder.path()).unwrap_err();
        let kinds = [ErrorKind::Corrupt, ErrorKind::Unsupported];
        assert!(kinds.contains(&error.kind()), "byte {place}: {error}");
        assert!(error.to_string().contains("generation-000000000001.tlog"), "{error}");
    }
    // Cut short within what was acknowledged.
    for end in [0, 10, 24, 60, usize::try_from(synced).unwrap() - 1] {
        fs_err::write(&file, &whole[..end]).unwrap();
        assert_eq!(reopen(folder.path()).unwrap_err().kind(), ErrorKind::Corrupt, "cut at {end}");
    }
    fs_err::remove_file(&file).unwrap();
    let error = reopen(folder.path()).map(|(log, found)| (log.stats(), found)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn without_a_checkpoint_the_frames_tell_what_was_acknowledged() {
    let (folder, file, synced) = half_synced();
    fs_err::remove_file(folder.path().join("checkpoint")).unwrap();
    let mut bytes = fs_err::read(&file).unwrap();
    bytes[usize::try_from(synced).unwrap() - 3] ^= 1;
    fs_err::write(&file, &bytes).unwrap();
    assert_eq!(reopen(folder.path()).unwrap_err().kind(), ErrorKind::Corrupt);
    // Pages that were not synced may reach the disk in any order.
    bytes[usize::try_from(synced).unwrap() - 3] ^= 1;
    bytes[usize::try_from(synced).unwrap() + 3] ^= 1;
    fs_err::write(&file, &bytes).unwrap();
    assert_eq!(reopen(folder.path()).unwrap().1, records(0..10));
}

#[test]
fn damage_in_a_closed_generation_is_never_a_tail() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = reopen(folder.path()).unwrap();
    log.append(&records(0..10)).unwrap();
    log.roll().unwrap();
    log.append(&records(10..12)).unwrap();
    drop(log);
    let (_, first) = recovery::generations(folder.path()).unwrap().swap_remove(0);
    let bytes = fs_err::read(&first).unwrap();
    fs_err::write(&first, &bytes[..bytes.len() - 2]).unwrap();
    assert_eq!(reopen(folder.path()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_generation_that_was_hardly_begun_is_begun_again_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = reopen(folder.path()).unwrap();
    log.append(&records(0..10)).unwrap();
    log.roll().unwrap();
    drop(log);
    let files = recovery::generations(folder.path()).unwrap();
    assert_eq!(files.len(), 2);
    // The machine stops while the file is made, again and again.
    for len in [0, 7, 24, 11] {
        fs_err::OpenOptions::new().write(true).open(&files[1].1).unwrap().set_len(len).unwrap();
        let (log, found) = reopen(folder.path()).unwrap();
        assert_eq!(found, records(0..10), "{len} bytes");
        drop(log);
        assert_eq!(recovery::generations(folder.path()).unwrap(), files, "{len} bytes");
    }
}

#[test]
fn concurrent_writers_share_syncs_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = reopen(folder.path()).unwrap();
    let next = Mutex::new(0_u64);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let position = {
                        let mut next = next.lock().unwrap();
                        *next += 1;
                        log.append(&[record(*next - 1)]).unwrap().1
                    };
                    log.sync(position).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..5 {
                log.roll().unwrap();
            }
        });
    });
    drop(log);
    assert_eq!(reopen(folder.path()).unwrap().1, records(0..200));
}
