-- Disease that comes back within twelve months of adjuvant HER2-targeted treatment is treated as in second line.
-- denominator: episodes, HER2-positive, with so early a distant recurrence, and treatment of it or time for it.
with relapses as (
    select
        m.patient_key,
        m.tumour_id,
        m.site_id,
        m.episode_key,
        m.metastatic_date,
        m.disease,
        case
            when l.episode_key is not null then l.outside_metastatic_her2
            when not t.invasive then 'in-situ'
            when t.her2_status = 'negative' then 'her2-negative'
            when t.her2_status <> 'positive' then 'her2-unknown'
        end as outside_metastatic_her2,
        m.clock,
        m.last_her2_date,
        m.interval_months,
        l.start_date,
        l.first_drugs,
        l.drugs,
        l.in_trial,
        l.has_her2,
        l.progression_date,
        l.ended_by,
        l.certainty,
        l.her2_at_line,
        l.her2_specimen_date,
        m.observable_through,
        m.death_date,
        coalesce(l.start_date + $component_days, m.metastatic_date + $start_days) as due_date
    from fct_metastatic_episodes as m
    inner join fct_tumours as t on m.patient_key = t.patient_key and m.tumour_id = t.tumour_id
    left join fct_lines as l on m.episode_key = l.episode_key and l.line_number = 1
),

parts as (
    select
        episode_key,
        min(days_from_start) filter (
            where ingredient = 'trastuzumab-deruxtecan' and first_date >= $deruxtecan_from
        ) as deruxtecan_day,
        min(days_from_start) filter (
            where ingredient = 'trastuzumab-emtansine' and first_date >= $emtansine_from
        ) as emtansine_day,
        min(days_from_start) filter (where ingredient = 'tucatinib' and first_date >= $tucatinib_from)
            as tucatinib_day,
        min(days_from_start) filter (where is_trastuzumab) as trastuzumab_day,
        min(days_from_start) filter (where ingredient = 'capecitabine') as capecitabine_day
    from fct_line_drugs
    where line_number = 1 and days_from_start <= $component_days
    group by episode_key
),

late_deruxtecan as (
    select
        episode_key,
        min(days_from_start) as deruxtecan_day
    from fct_line_drugs
    where line_number = 1 and ingredient = 'trastuzumab-deruxtecan' and first_date >= $deruxtecan_from
    group by episode_key
),

-- What joins the line later belongs to it too; what replaced all its drugs without a progression on record may.
later_agents as (
    select
        r.episode_key,
        l.line_number,
        min(l.first_date) filter (
            where l.ingredient = 'trastuzumab-deruxtecan' and l.first_date >= $deruxtecan_from
        ) as deruxtecan_date,
        min(l.first_date) filter (
            where
            l.ingredient = 'trastuzumab-emtansine'
            and l.first_date >= $emtansine_from
            and r.start_date < $deruxtecan_from
        ) as emtansine_date,
        min(l.first_date) filter (
            where
            l.ingredient = 'tucatinib'
            and $brain = 'tucatinib-accepted'
            and l.first_date >= $tucatinib_from
            and n.cns_date <= r.start_date + $component_days
        ) as tucatinib_date,
        min(l.first_date) filter (where l.is_trastuzumab) as trastuzumab_date,
        min(l.first_date) filter (where l.ingredient = 'capecitabine') as capecitabine_date
    from relapses as r
    inner join fct_line_drugs as l on r.episode_key = l.episode_key
    left join fct_cns as n on r.patient_key = n.patient_key
    group by
        r.episode_key,
        l.line_number
),

begun_later as (
    select
        episode_key,
        line_number,
        least(
            deruxtecan_date,
            emtansine_date,
            case
                when trastuzumab_date is not null and capecitabine_date is not null and tucatinib_date is not null
                    then greatest(tucatinib_date, trastuzumab_date, capecitabine_date)
            end
        ) as begun_date
    from later_agents
),

unavailable as (
    select distinct r.episode_key
    from relapses as r
    inner join stg_exceptions as x on r.patient_key = x.patient_key
    inner join rule_topics as t on x.topic_name = t.topic
    left join fct_episodes as o on x.patient_key = o.patient_key and x.tumour_id = o.tumour_id
    where
        x.reason in ('drug-unavailable', 'funding-restriction')
        and t.part = 'trastuzumab-deruxtecan'
        and (x.tumour_id is null or o.episode_key = r.episode_key)
),

judged as (
    select
        r.*,
        i.first_date as ild_date,
        w.weak_date,
        p.trastuzumab_day,
        case
            when p.deruxtecan_day is not null then 'deruxtecan'
            when p.emtansine_day is not null and r.start_date < $deruxtecan_from then 'emtansine-historic'
            when p.emtansine_day is not null and u.episode_key is not null then 'emtansine-fallback'
            when
                p.tucatinib_day + p.trastuzumab_day + p.capecitabine_day is not null
                and $brain = 'tucatinib-accepted'
                and n.cns_date <= r.start_date + $component_days then 'tucatinib-cns'
            when j.begun_date + $component_days <= r.observable_through then 'joined-later'
        end as met,
        j.begun_date as joined_date,
        c.begun_date as changed_date,
        p.emtansine_day,
        greatest(p.tucatinib_day, p.trastuzumab_day, p.capecitabine_day) as tucatinib_day,
        d.deruxtecan_day,
        n.cns_date,
        e.episode_key is not null and coalesce(r.progression_date >= r.due_date, true) as perhaps_progressed,
        b.first_brain_date is not null and coalesce(b.first_elsewhere_date > r.due_date, true) as brain_alone,
        coalesce(f.first_date <= r.due_date, false) as treated_locally,
        coalesce(f.first_date > r.due_date, true)
        and r.due_date <= r.observable_through
        and not ($radiotherapy_linked and $surgeries_linked) as local_treatment_unseen
    from relapses as r
    left join parts as p on r.episode_key = p.episode_key
    left join late_deruxtecan as d on r.episode_key = d.episode_key
    left join begun_later as j on r.episode_key = j.episode_key and j.line_number = 1
    left join begun_later as c on r.episode_key = c.episode_key and c.line_number = 1 + 1
    left join unavailable as u on r.episode_key = u.episode_key
    left join fct_spread_of_metastases as b on r.episode_key = b.episode_key
    left join fct_local_metastasis_treatment as f on r.patient_key = f.patient_key
    left join fct_cns as n on r.patient_key = n.patient_key
    left join fct_early_changes as e on r.episode_key = e.episode_key
    left join fct_weak_hearts as w on r.episode_key = w.episode_key and w.line_number = 1
    left join fct_lung_disease as i on r.patient_key = i.patient_key and r.start_date >= i.first_date
)

select
    'line-1' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    coalesce(start_date, metastatic_date) as decision_date,
    due_date,
    -- Whether a drug joins or replaces all others shows in the days after it.
    greatest(due_date, cast(joined_date + $component_days as date)) as open_until,
    start_date + 1 as clock_start,
    metastatic_date as observed_from,
    due_date as drugs_through,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when disease = 'de-novo' then 'de-novo'
        when clock = 'no-her2' then 'no-adjuvant-her2'
        when clock = 'late' or (clock = 'grey-zone' and $early_relapse = '6-months') then 'late-relapse'
        when start_date is null and (due_date <= observable_through or death_date is not null) then 'no-line'
    end as excluded,
    case
        when start_date is null then null
        when clock = 'unclear' then 'interval-unclear'
        when not $conjugates_told_apart and trastuzumab_day is not null and met is null then 'conjugate-not-told-apart'
        when met is null and ended_by = 'drug-change' and changed_date is not null then 'line-uncertain'
        -- Where a table of local treatment is not linked, it may hold what excuses disease of the brain alone.
        when brain_alone and local_treatment_unseen and met is null and joined_date is null
            then 'local-treatment-unknown'
        when perhaps_progressed and due_date <= observable_through and met is null and joined_date is null
            then 'perhaps-progressed'
    end as missing_reason,
    case
        when missing_reason = 'interval-unclear' then ['treatments.end_date']
        when missing_reason in ('line-uncertain', 'perhaps-progressed') then ['events.event_date']
        when missing_reason = 'conjugate-not-told-apart' then ['treatments.drug']
        when $radiotherapy_linked then ['surgeries']
        when $surgeries_linked then ['radiotherapy']
        else ['radiotherapy', 'surgeries']
    end as missing,
    met,
    case
        when in_trial then 'trial'
        when ild_date is not null then 'previous-ild'
        when weak_date is not null and not has_her2 then 'heart'
        when death_date = start_date then 'death-before-due'
        when brain_alone and treated_locally then 'cns-only-local'
        when progression_date < due_date then 'progression'
    end as excepted,
    case when start_date is null then [] end as lacking,
    'second-line-agent-not-recorded' as failed,
    case
        when met in ('emtansine-historic', 'emtansine-fallback') then $component_days - emtansine_day
        when met = 'tucatinib-cns' then $component_days - tucatinib_day
        else $component_days - deruxtecan_day
    end as margin_days,
    to_json(struct_pack(
        metastatic_date := metastatic_date,
        last_her2_date_before := last_her2_date,
        months_between := interval_months,
        interval_zone := clock,
        line_start_date := start_date,
        drugs_begun_in_time := first_drugs,
        deruxtecan_on_day := deruxtecan_day,
        drugs_of_the_line := drugs,
        first_sign_of_brain_metastases := cns_date,
        interstitial_lung_disease_on := ild_date,
        line_certainty := certainty,
        her2_at_line := her2_at_line,
        her2_specimen_date := her2_specimen_date
    )) as evidence
from judged
