-- verdict_inputs: what a rule's SQL says of one subject and placement; it may leave columns out, which then are null.
-- observed_from: care before this day may not be on record for a patient transferred in. drugs_from (observed_from
-- where it is null) to drugs_through: an unrecognised drug in these days could be the one that is lacking.
-- perhaps_decided_from: where rows without their day may be the first of what is judged, the day on which that can
-- have begun at the earliest.
-- doubted_drugs: of the drugs that the card needs, those of which a doubtful row could change what is held against the
-- case; null: all.
-- localised_through: a metastasis shown up to this day would explain what is held against the case.
-- gate_expected: the stream of the card's gate is expected for this subject; gate_seen: the record carries any of it.
create or replace temp table verdict_inputs (
    subject_part varchar,
    patient_key integer,
    tumour_id varchar,
    site_id varchar,
    episode_key integer,
    edition varchar,
    decision_date date,
    perhaps_decided_from date,
    due_date date,
    open_until date,
    clock_start date,
    observed_from date,
    drugs_from date,
    drugs_through date,
    doubted_drugs varchar[],
    localised_through date,
    excluded varchar,
    missing_reason varchar,
    missing varchar[],
    met varchar,
    excepted varchar,
    unavailable varchar,
    lacking varchar[],
    failed varchar,
    margin_days bigint,
    evidence varchar,
    gate_expected boolean,
    gate_seen boolean
);
