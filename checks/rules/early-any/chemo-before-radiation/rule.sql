-- Chemotherapy of early disease is finished before radiotherapy of the breast, the chest wall or the nodes begins.
-- denominator: index tumours, HER2-positive, M0, with chemotherapy and radiotherapy in the first course of treatment.
with population as (
    select
        t.*,
        f.diagnosis_date as known_date,
        f.end_date as first_course_end,
        p.observable_through,
        p.death_date,
        l.radiotherapy_indicated
    from fct_tumours as t
    inner join fct_first_course as f on t.episode_key = f.episode_key
    inner join stg_patients as p on t.patient_key = p.patient_key
    inner join fct_local_treatment as l on t.patient_key = l.patient_key and t.tumour_id = l.tumour_id
    where t.is_index
),

-- A day of CMF: methotrexate close before or after it, or on it.
beside_methotrexate as (
    select distinct
        c.episode_key,
        c.ingredient,
        c.dose_date
    from fct_first_course_chemotherapy as m
    inner join fct_first_course_chemotherapy as c on m.episode_key = c.episode_key
    where
        m.ingredient = 'methotrexate'
        and c.ingredient in ('methotrexate', 'cyclophosphamide', 'fluorouracil')
        and abs(date_diff('day', m.dose_date, c.dose_date)) <= $cmf_days
),

-- counted_date: null on a day of exempt CMF.
chemotherapy as (
    select
        c.episode_key,
        c.dose_date,
        c.open_course,
        c.in_sequence,
        c.in_trial,
        c.ingredient = 'capecitabine' as is_capecitabine,
        case when $cmf = 'exempt' and m.episode_key is not null then null else c.dose_date end as counted_date
    from fct_first_course_chemotherapy as c
    left join beside_methotrexate as m
        on c.episode_key = m.episode_key and c.ingredient = m.ingredient and c.dose_date = m.dose_date
),

counted_days as (
    select
        episode_key,
        min(counted_date) as first_counted_date,
        max(counted_date) as last_counted_date
    from chemotherapy
    group by episode_key
),

-- What began after the last dose ends too late to tell whether one was given during radiotherapy. whole_date: of the
-- first radiotherapy that can't be irradiation of a part of the breast before systemic treatment.
radiotherapies as (
    select
        p.patient_key,
        p.tumour_id,
        coalesce(min(r.start_date) filter (where r.is_local), min(r.start_date)) as radiotherapy_date,
        bool_and(r.is_local is null) as target_unknown,
        min(r.start_date) filter (
            where r.is_local
            and (
                r.target <> 'breast'
                or coalesce(r.end_date, r.start_date) > r.start_date + $partial_breast_days
                or coalesce(r.end_date, r.start_date) >= d.first_counted_date
            )
        ) as whole_date,
        case
            when bool_and(r.end_date is not null)
                then max(r.end_date) filter (where r.start_date < d.last_counted_date)
        end as radiotherapy_end,
        max(coalesce(r.end_date, r.start_date + $radiotherapy_longest_days)) filter (
            where r.start_date < d.last_counted_date
        ) as radiotherapy_through
    from population as p
    inner join fct_radiotherapy as r on p.patient_key = r.patient_key and p.tumour_id = r.tumour_id
    left join counted_days as d on p.episode_key = d.episode_key
    where
        r.phase = 'first-course'
        and coalesce(r.is_local, true)
        and r.start_date >= coalesce(p.diagnosis_date, p.known_date, r.start_date)
    group by
        p.patient_key,
        p.tumour_id
),

given as (
    select
        p.episode_key,
        min(c.dose_date) as first_chemotherapy_date,
        min(c.counted_date) as first_counted_date,
        max(c.counted_date) as last_counted_date,
        -- Capecitabine after radiotherapy has no part in the sequence.
        max(c.counted_date) filter (
            where not c.is_capecitabine
            or c.counted_date <= coalesce(r.radiotherapy_end, r.radiotherapy_date)
        ) as last_sequence_date,
        max(c.counted_date) filter (where not c.is_capecitabine) as last_hard_date,
        bool_or(c.counted_date > r.radiotherapy_date) as chemotherapy_later,
        bool_or(c.counted_date > r.radiotherapy_date and c.counted_date <= r.radiotherapy_through) as perhaps_during,
        bool_and(c.in_sequence) filter (where c.counted_date > r.radiotherapy_date) as named_later,
        bool_or(c.open_course and c.counted_date <= r.radiotherapy_date) as open_before,
        bool_or(c.in_trial and c.counted_date is not null) as in_trial
    from population as p
    inner join chemotherapy as c on p.episode_key = c.episode_key
    left join radiotherapies as r on p.patient_key = r.patient_key and p.tumour_id = r.tumour_id
    group by p.episode_key
),

recorded as (
    select distinct patient_key
    from stg_radiotherapy
),

judged as (
    select
        p.*,
        g.first_chemotherapy_date,
        g.first_counted_date,
        g.last_counted_date,
        g.last_sequence_date,
        g.chemotherapy_later,
        g.perhaps_during,
        g.open_before,
        -- A name told in sequence may stand for the antibodies alone on its later days; it breaks the order, being no
        -- capecitabine.
        g.named_later and g.first_counted_date <= r.radiotherapy_date as perhaps_over,
        g.in_trial,
        r.radiotherapy_date,
        r.radiotherapy_end,
        r.target_unknown,
        d.patient_key is not null as radiotherapy_seen,
        g.last_sequence_date + $min_gap_days > r.radiotherapy_date as broken,
        coalesce(g.last_sequence_date + $min_gap_days > r.whole_date, false) as broken_by_whole,
        g.last_hard_date + $min_gap_days > r.radiotherapy_date as broken_by_hard,
        -- Asked where there is no radiotherapy yet: it is indicated and there is still time for it.
        p.radiotherapy_indicated
        and p.death_date is null
        and p.first_course_end is null
        and g.last_counted_date + $max_gap_days > p.observable_through as awaited
    from population as p
    left join given as g on p.episode_key = g.episode_key
    left join radiotherapies as r on p.patient_key = r.patient_key and p.tumour_id = r.tumour_id
    left join recorded as d on p.patient_key = d.patient_key
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    coalesce(radiotherapy_date, last_counted_date) as decision_date,
    case when radiotherapy_date is null then last_counted_date + $max_gap_days end as due_date,
    first_chemotherapy_date as observed_from,
    last_sequence_date as localised_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when first_chemotherapy_date is null then 'no-chemotherapy'
        when first_counted_date is null then 'cmf'
        when radiotherapy_date is null and not awaited then 'no-radiotherapy'
    end as excluded,
    case
        when broken and target_unknown then 'target-not-recorded'
        when broken and not broken_by_whole then 'partial-breast-not-told'
        when perhaps_over then 'days-not-recorded'
        when broken then null
        when open_before then 'no-end-date'
        -- The order is kept: it is capecitabine, and radiotherapy's recorded end does not tell.
        when perhaps_during then 'radiotherapy-end-not-recorded'
    end as missing_reason,
    case
        when missing_reason = 'days-not-recorded' then ['treatments.drug']
        when broken then ['radiotherapy.target']
        when open_before then ['treatments.end_date']
        else ['radiotherapy.end_date']
    end as missing,
    case
        when radiotherapy_date is null or broken then null
        when chemotherapy_later then 'capecitabine-after-radiotherapy'
        when date_diff('day', last_sequence_date, radiotherapy_date) > $max_gap_days then 'long-gap'
        else 'chemotherapy-first'
    end as met,
    case when in_trial then 'trial' end as excepted,
    -- What is documented for capecitabine tells of what was given with radiotherapy, not of what is awaited.
    case
        when broken_by_hard or radiotherapy_date is null then ['sequence']
        else ['sequence', 'capecitabine']
    end as lacking,
    case
        when first_counted_date > radiotherapy_date then 'chemotherapy-after-radiotherapy'
        else 'chemotherapy-during-radiotherapy'
    end as failed,
    date_diff('day', last_sequence_date, radiotherapy_date) as margin_days,
    outside_early_her2 is null and first_counted_date is not null and radiotherapy_indicated as gate_expected,
    radiotherapy_seen as gate_seen,
    case when excluded is null then to_json(struct_pack(
        first_surgery_date := first_surgery_date,
        first_chemotherapy_date := first_chemotherapy_date,
        last_chemotherapy_date := last_counted_date,
        radiotherapy_date := radiotherapy_date,
        radiotherapy_end := radiotherapy_end,
        her2_basis := her2_basis
    )) end as evidence
from judged
